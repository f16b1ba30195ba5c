/* The floor under every message job: echo and fan-out on one epoll, with the frames of benchmarks/peers/bare.py and nothing of a session.
 *
 * A frame is four bytes of length, network order, and the message. It is sent back, unless it is an order: "more" has 64 messages sent to
 * everybody, "once" one. What a turn of the loop has to say to a line goes out in one write. Prints its port; ends with its standard input. */

#define _GNU_SOURCE /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 4, MESSAGE = 64, ROUND = 64, READ = 1 << 18, TURN = 256 };

struct bytes {
    uint8_t *data;
    size_t size, room;
};

struct line {
    int fd;
    int is_dirty, is_blocked;
    struct bytes in, out;
    struct line *next, *previous;
};

static struct line *everybody, *dirty[1 << 17];
static int dirty_count, poll_fd;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void append(struct bytes *to, const void *data, size_t size) {
    if (to->size + size > to->room) {
        while (to->size + size > to->room)
            to->room = to->room ? to->room * 2 : 512;
        if (!(to->data = realloc(to->data, to->room)))
            die("realloc");
    }
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

/* Drop what has gone; memory is kept only where something still waits, so that a quiet line costs nothing. */
static void drop(struct bytes *from, size_t size) {
    from->size -= size;
    if (from->size) {
        memmove(from->data, from->data + size, from->size);
        return;
    }
    free(from->data);
    *from = (struct bytes){0};
}

static void watch(struct line *line, int how, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = line};
    if (epoll_ctl(poll_fd, how, line->fd, &event))
        die("epoll_ctl");
}

static void say(struct line *line, const void *frame, size_t size) {
    append(&line->out, frame, size);
    if (!line->is_dirty && !line->is_blocked) {
        line->is_dirty = 1;
        dirty[dirty_count++] = line;
    }
}

static void hang_up(struct line *line) {
    if (line->previous)
        line->previous->next = line->next;
    else
        everybody = line->next;
    if (line->next)
        line->next->previous = line->previous;
    for (int n = 0; n < dirty_count; n++)
        if (dirty[n] == line)
            dirty[n] = dirty[--dirty_count];
    close(line->fd);
    free(line->in.data);
    free(line->out.data);
    free(line);
}

/* Write what waits; ask to be told when the rest may go. Return 0 when the line is broken. */
static int flush(struct line *line) {
    line->is_dirty = 0;
    ssize_t sent = send(line->fd, line->out.data, line->out.size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return 0;
    if (sent > 0)
        drop(&line->out, (size_t)sent);
    int is_blocked = line->out.size > 0;
    if (is_blocked != line->is_blocked) {
        line->is_blocked = is_blocked;
        watch(line, EPOLL_CTL_MOD, is_blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return 1;
}

static void broadcast(int count) {
    uint8_t frame[HEAD + MESSAGE] = {0, 0, 0, MESSAGE};
    memset(frame + HEAD, 'x', MESSAGE);
    for (struct line *line = everybody; line; line = line->next)
        for (int n = 0; n < count; n++)
            say(line, frame, sizeof frame);
}

/* Answer the whole frames of some bytes; return how many bytes they were. */
static size_t answer(struct line *line, const uint8_t *data, size_t size) {
    size_t at = 0;
    while (size - at >= HEAD) {
        uint32_t length;
        memcpy(&length, data + at, HEAD);
        length = ntohl(length);
        if (size - at - HEAD < length)
            break;
        if (length == 4 && !memcmp(data + at + HEAD, "more", 4))
            broadcast(ROUND);
        else if (length == 4 && !memcmp(data + at + HEAD, "once", 4))
            broadcast(1);
        else
            say(line, data + at, HEAD + length);
        at += HEAD + length;
    }
    return at;
}

/* Return 0 when the line is at its end. */
static int take(struct line *line) {
    static uint8_t data[READ];
    ssize_t size = recv(line->fd, data, sizeof data, 0);
    if (size <= 0)
        return size < 0 && errno == EAGAIN;
    if (line->in.size) { /* the beginning of a frame waits */
        append(&line->in, data, (size_t)size);
        size_t done = answer(line, line->in.data, line->in.size);
        if (done)
            drop(&line->in, done);
    } else {
        size_t done = answer(line, data, (size_t)size);
        if (done < (size_t)size)
            append(&line->in, data + done, (size_t)size - done);
    }
    return 1;
}

static void admit(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct line *line = calloc(1, sizeof *line);
        if (!line)
            die("calloc");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        line->fd = fd;
        line->next = everybody;
        if (everybody)
            everybody->previous = line;
        everybody = line;
        watch(line, EPOLL_CTL_ADD, EPOLLIN);
    }
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
        getsockname(listener, (struct sockaddr *)&address, &size) || (poll_fd = epoll_create1(0)) < 0)
        die("listen");
    struct line listening = {.fd = listener}, input = {.fd = 0};
    watch(&listening, EPOLL_CTL_ADD, EPOLLIN);
    watch(&input, EPOLL_CTL_ADD, EPOLLIN);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        struct epoll_event events[TURN];
        int count = epoll_wait(poll_fd, events, TURN, -1);
        for (int n = 0; n < count; n++) {
            struct line *line = events[n].data.ptr;
            if (line == &input)
                return 0;
            if (line == &listening)
                admit(listener);
            else if ((events[n].events & EPOLLOUT && !flush(line)) ||
                     (events[n].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !take(line)))
                hang_up(line);
        }
        while (dirty_count) { /* one write for each line and turn */
            struct line *line = dirty[--dirty_count];
            if (!flush(line))
                hang_up(line);
        }
    }
}
