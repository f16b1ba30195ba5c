/* A load that costs little and is the same for every server: lines on one epoll that say bytes made beforehand and count what comes back.
 *
 * What it says is told by name=value, bytes in hex; benchmarks/peers/load.py makes these arguments. The jobs:
 *   trips     every line says `say` as soon as it has its answer, `count` times in all
 *   fan       the first line says `order`, and again when every other has what it delivers, `count` times
 *   connects  lines come, are greeted and go, `lines` at a time, `count` in all
 *   hold      `lines` are there: a word is printed, and all stays as it is until standard input ends
 *   publishes as trips, but nothing is said to warm up beyond what makes a line ready, since all of it is kept
 * All but hold print how many times they did it a second, and publishes also how many milliseconds the slowest of each hundred answers takes; a slow
 * server is asked less often than it could be, and for no longer than ENOUGH. */

#include "line.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 220, ENOUGH = 4 /* seconds */, AT_ONCE = 20, TURN = 256, READ = 1 << 18 };
#define ACK_DELAY 0.25 /* seconds, as the library has it */

enum phase { OPENING, TRIPS, FAN, CONNECTS };

int is_session, is_web;

static enum phase phase = OPENING;
static int poll_fd, port;
static uint64_t line_count = 1, count = 1, answer, delivery;
static uint64_t outbox; /* bytes at the end of how a publisher opens its flow: its outbox, another one for each line */
static int is_text;     /* whether answers are counted in lines of text, and not in bytes */
static struct greeting greeting, speaker_greeting;
static struct text hello, say, order, bye, opening, speaker_opening;

static struct line *all;
static uint64_t opened, ready, begun, done, waiting;
static double *waits; /* how long each answer took, where that is wanted */

void die(const char *what) {
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void put(struct line *line, const void *data, size_t size) {
    while (size) {
        ssize_t sent = send(line->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd room = {.fd = line->fd, .events = POLLOUT};
            poll(&room, 1, 1000);
        } else if (sent < 0) {
            die("send");
        } else {
            data = (const uint8_t *)data + sent;
            size -= (size_t)sent;
        }
    }
}

static void speak(struct line *line, const struct text *what, uint64_t publications) {
    if (line->outbox)
        session_publish(line, what, publications);
    else if (is_session)
        session_say(line, what);
    else
        put(line, what->data, what->size);
}

static void expect(struct line *line, uint64_t more) {
    line->want = line->got + more;
}

static void ask(struct line *line) {
    expect(line, answer);
    if (waits)
        line->asked = now();
    speak(line, &say, 1);
}

/* A line is opened and greeted, and answered once where a server knows only then that it is there... */

static void watch(struct line *line, int how, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = line};
    if (epoll_ctl(poll_fd, how, line->fd, &event))
        die("epoll_ctl");
}

static void open_line(struct line *line) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    *line = (struct line){.greeting = speaker_greeting.steps && line == all ? &speaker_greeting : &greeting};
    if (opening.size && line != all) {
        line->opening = &opening;
    } else if (speaker_opening.size) { /* the first line, or every one where nobody listens */
        line->opening = &speaker_opening;
        line->outbox = outbox;
    }
    line->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (line->fd < 0 || (connect(line->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS))
        die("connect");
    errno = 0;
    setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    watch(line, EPOLL_CTL_ADD, EPOLLOUT); /* when it is there, greet_on follows */
}

static void open_next(void) {
    if (phase == OPENING && opened < line_count)
        open_line(&all[opened++]);
}

static void greeted(struct line *line) {
    line->is_ready = 1;
    if (phase == CONNECTS) {
        if (bye.size)
            put(line, bye.data, bye.size);
        else
            shutdown(line->fd, SHUT_WR);
    } else if (say.size) {
        ask(line);
    } else {
        ready++;
        open_next();
    }
}

static void greet_on(struct line *line) {
    if (line->step < line->greeting->steps)
        put(line, line->greeting->said[line->step].data, line->greeting->said[line->step].size);
    else if (is_session)
        session_begin(line, &hello);
    else
        greeted(line);
}

static void greeting_arrived(struct line *line, const uint8_t *data, size_t size) {
    const struct text *end = &line->greeting->until[line->step];
    size_t new = size < TAIL ? size : TAIL, old = TAIL - new < line->tail_size ? TAIL - new : line->tail_size;
    memmove(line->tail, line->tail + line->tail_size - old, old);
    memcpy(line->tail + old, data + size - new, new);
    line->tail_size = old + new;
    if (line->tail_size < end->size || memcmp(line->tail + line->tail_size - end->size, end->data, end->size))
        return;
    line->tail_size = 0;
    line->step++;
    greet_on(line);
}

/* Something has arrived... */

static void has_all(struct line *line) {
    line->want = 0;
    if (phase == OPENING) {
        ready++;
        open_next();
    } else if (phase == FAN) {
        waiting--;
    } else if (phase == TRIPS) {
        if (waits)
            waits[done] = now() - line->asked;
        done++;
        if (begun < count) {
            begun++;
            ask(line);
        }
    }
}

static void at_end(struct line *line) {
    if (phase != CONNECTS || !line->is_ready)
        die("the server closed a line");
    close(line->fd);
    done++;
    if (begun < count) {
        begun++;
        open_line(line);
    }
}

/* Where an answer has no known size, its lines are counted; by the protocol of redis, what begins with a minus is no answer. */
static uint64_t lines_of(const struct line *line, const uint8_t *data, size_t size) {
    uint64_t found = 0;
    if (line->got + answer == line->want && *data == '-')
        die("the server refused what it was told");
    for (size_t n = 0; n < size; n++)
        found += data[n] == '\n';
    return found;
}

static void take(struct line *line) {
    static uint8_t data[READ];
    ssize_t size = recv(line->fd, data, sizeof data, 0);
    if (size < 0 && errno == EAGAIN)
        return;
    errno = 0;
    if (size <= 0) {
        at_end(line);
    } else if (line->step < line->greeting->steps) {
        greeting_arrived(line, data, (size_t)size);
    } else {
        int was_ready = line->is_ready;
        if (phase == CONNECTS && was_ready)
            return; /* a farewell */
        if (is_session)
            session_feed(line, data, (size_t)size);
        else
            line->got += is_text ? lines_of(line, data, (size_t)size) : (uint64_t)size;
        if (!was_ready && line->is_ready)
            greeted(line);
        else if (line->want && line->got >= line->want)
            has_all(line);
    }
}

/* Sessions say what they have received and handled, at latest so long after. */
static void tell_all(void) {
    static double told;
    if (now() - told < ACK_DELAY)
        return;
    told = now();
    for (uint64_t n = 0; n < opened; n++)
        session_tell(&all[n]);
}

static void turn(void) {
    struct epoll_event events[TURN];
    int found = epoll_wait(poll_fd, events, TURN, 1000);
    if (is_session)
        tell_all();
    for (int n = 0; n < found; n++) {
        struct line *line = events[n].data.ptr;
        if (events[n].events & EPOLLOUT) {
            watch(line, EPOLL_CTL_MOD, EPOLLIN);
            greet_on(line);
        } else {
            take(line);
        }
    }
}

/* The jobs... */

static void open_all(void) {
    for (int n = 0; n < AT_ONCE; n++)
        open_next();
    while (ready < line_count)
        turn();
}

/* Go on until all that began is done, and begin nothing more when that takes too long; return how many a second. */
static double rate(double began) {
    while (done < count) {
        turn();
        if (now() - began > ENOUGH)
            count = begun;
    }
    return (double)done / (now() - began);
}

static double trips(uint64_t wanted) {
    double began = now();
    phase = TRIPS;
    count = wanted;
    done = 0;
    for (begun = 0; begun < line_count && begun < count; begun++)
        ask(&all[begun]);
    return rate(began);
}

/* The first line speaks, to all the others. */
static double fan(uint64_t rounds) {
    double began = now();
    phase = FAN;
    for (done = 0; done < rounds && now() - began < ENOUGH; done++) {
        waiting = line_count - 1;
        for (uint64_t n = 1; n < line_count; n++)
            expect(&all[n], delivery);
        speak(all, &order, delivery);
        while (waiting)
            turn();
    }
    return (double)done / (now() - began);
}

static int compare(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

/* Return, of how long the answers took, how long the slowest of each hundred did. */
static double slowest(void) {
    qsort(waits, done, sizeof *waits, compare);
    return waits[done * 99 / 100];
}

static double connects(void) {
    double began = now();
    phase = CONNECTS;
    for (begun = 0; begun < line_count && begun < count; begun++)
        open_line(&all[begun]);
    return rate(began);
}

static void hold(void) {
    for (uint64_t n = 0; is_session && n < line_count; n++)
        session_tell(&all[n]);
    puts("held");
    fflush(stdout);
    while (getchar() != EOF) {}
}

/* Reading what is wanted... */

static struct text unhex(const char *hex) {
    struct text text = {malloc(strlen(hex) / 2 + 1), strlen(hex) / 2};
    for (size_t n = 0; n < text.size; n++)
        if (sscanf(hex + 2 * n, "%2hhx", &text.data[n]) != 1)
            die("no hex");
    return text;
}

static void add_step(struct greeting *to, const char *value) {
    char *said = strdup(value), *until = strchr(said, '/');
    if (to->steps == STEPS || !until)
        die("no step of a greeting");
    *until++ = 0;
    to->said[to->steps] = unhex(said);
    to->until[to->steps++] = unhex(until);
}

int main(int argc, char **argv) {
    const char *job = argc > 1 ? argv[1] : "";
    alarm(LONGEST);
    for (int n = 2; n < argc; n++) {
        const char *name = argv[n], *value = strchr(name, '=');
        if (!value++)
            die(name);
        if (!strncmp(name, "port=", 5)) port = atoi(value);
        else if (!strncmp(name, "lines=", 6)) line_count = strtoull(value, NULL, 10);
        else if (!strncmp(name, "count=", 6)) count = strtoull(value, NULL, 10);
        else if (!strncmp(name, "answer=", 7)) answer = strtoull(value, NULL, 10);
        else if (!strncmp(name, "delivery=", 9)) delivery = strtoull(value, NULL, 10);
        else if (!strncmp(name, "greet=", 6)) add_step(&greeting, value);
        else if (!strncmp(name, "speaker=", 8)) add_step(&speaker_greeting, value);
        else if (!strncmp(name, "hello=", 6)) hello = unhex(value);
        else if (!strncmp(name, "opening=", 8)) opening = unhex(value);
        else if (!strncmp(name, "publisher=", 10)) speaker_opening = unhex(value);
        else if (!strncmp(name, "outbox=", 7)) outbox = strtoull(value, NULL, 10);
        else if (!strncmp(name, "say=", 4)) say = unhex(value);
        else if (!strncmp(name, "order=", 6)) order = unhex(value);
        else if (!strncmp(name, "bye=", 4)) bye = unhex(value);
        else if (!strncmp(name, "session=", 8)) is_session = atoi(value);
        else if (!strncmp(name, "web=", 4)) is_web = atoi(value);
        else if (!strncmp(name, "text=", 5)) is_text = atoi(value);
        else die(name);
    }
    if (!(all = calloc(line_count, sizeof *all)) || (poll_fd = epoll_create1(0)) < 0)
        die("memory");
    if (!strcmp(job, "connects")) {
        printf("%f\n", connects());
        return 0;
    }
    open_all();
    if (!strcmp(job, "hold")) {
        hold();
    } else if (!strcmp(job, "trips")) {
        uint64_t wanted = count;
        trips(wanted / 10 + 1);
        printf("%f\n", trips(wanted));
    } else if (!strcmp(job, "publishes")) {
        if (!count || !(waits = calloc(count, sizeof *waits)))
            die("nothing to do, or no memory");
        double found = trips(count);
        printf("%f %f\n", found, slowest() * 1e3);
    } else if (!strcmp(job, "fan")) {
        fan(1);
        printf("%f\n", fan(count));
    } else {
        die("no such job");
    }
}
