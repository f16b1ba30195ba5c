/* As much of a landline session as a client needs that only counts what it is told: docs/protocol.md says what each frame is.
 *
 * It is told messages, or it opens one flow, in which it subscribes to a topic, or publishes.
 *
 * It acks, handles and grants as the library does: when half of its window has come, at once when it is asked, and otherwise four times a second
 * (load.c looks at the time). */

#define _GNU_SOURCE /* memmem */
#include "line.h"
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>
#include <sys/random.h>

enum { HEADER = 9, MAGIC = 8, TOKEN = 32, FRAME_COST = 64, WINDOW = 256 << 10 };
enum { WELCOME = 3, CONFIRM = 5, PING = 6, PONG = 7, ACK = 8, HANDLED = 9, CREDIT = 10, ASK = 11, COUNTED = 0x20, LAST_DATA = 0x22 };

/* What is said in flow 1, the first byte of which is the length of a MessagePack array, and the second tells them apart. */
enum { FOUR = 0x94 };
/* Where a publish has its number, and how far all are answered: after header, array and tag, each behind a byte for its type. */
enum { NUMBER_AT = HEADER + 3, ANSWERED_AT = NUMBER_AT + 9, UINT64 = 0xcf };

static uint8_t *frame_of(uint8_t *at, uint8_t kind, uint8_t number, const void *payload, uint32_t size) {
    uint32_t length = htonl(size);
    memcpy(at, &length, 4);
    at[4] = kind;
    memset(at + 5, 0, 3);
    at[8] = number;
    memcpy(at + HEADER, payload, size);
    return at + HEADER + size;
}

static uint8_t *frame(uint8_t *at, uint8_t kind, const void *payload, uint32_t size) {
    return frame_of(at, kind, 0, payload, size);
}

/* Write whole frames, in one WebSocket message where there is one around them. */
static void say(struct line *line, const void *data, size_t size) {
    static const uint8_t key[4] = {0x1b, 0x2c, 0x3d, 0x4e};
    static uint8_t message[1 << 17];
    if (!is_web) {
        put(line, data, size);
        return;
    }
    size_t at = 2;
    if (size > sizeof message - 16)
        die("a message that is too large");
    message[0] = 0x82;
    message[1] = 0x80 | (size < 126 ? (uint8_t)size : size < 65536 ? 126 : 127);
    if (size >= 65536) {
        memset(message + at, 0, 4);
        at += 4;
        message[at++] = (uint8_t)(size >> 24);
        message[at++] = (uint8_t)(size >> 16);
    }
    if (size >= 126) {
        message[at++] = (uint8_t)(size >> 8);
        message[at++] = (uint8_t)size;
    }
    memcpy(message + at, key, 4);
    at += 4;
    for (size_t n = 0; n < size; n++)
        message[at + n] = ((const uint8_t *)data)[n] ^ key[n % 4];
    put(line, message, at + size);
}

void session_begin(struct line *line, const struct text *hello) {
    say(line, hello->data, hello->size);
}

void session_say(struct line *line, const struct text *frame) {
    line->session.sent++;
    say(line, frame->data, frame->size);
}

void session_publish(struct line *line, const struct text *frames, uint64_t count) {
    struct session *session = &line->session;
    size_t size = frames->size / count;
    uint64_t answered = htobe64(session->answered);
    for (uint8_t *at = frames->data; at < frames->data + frames->size; at += size) {
        uint64_t number = htobe64(++session->published);
        if (at[NUMBER_AT - 1] != UINT64 || at[ANSWERED_AT - 1] != UINT64)
            die("no publish that can be numbered");
        memcpy(at + NUMBER_AT, &number, sizeof number);
        memcpy(at + ANSWERED_AT, &answered, sizeof answered);
        if (session->published_cost >= session->topic_credit)
            die("published beyond the credit");
        session->published_cost += size - HEADER + FRAME_COST;
    }
    session->sent += count;
    say(line, frames->data, frames->size);
}

static uint8_t *news_of(struct flow *flow, uint8_t number, uint8_t *at) {
    uint64_t count = htobe64(flow->received), credit = htobe64(flow->cost + WINDOW);
    flow->told = flow->received;
    at = frame_of(at, HANDLED, number, &count, sizeof count); /* whatever arrives is handled at once */
    return frame_of(at, CREDIT, number, &credit, sizeof credit);
}

static int is_told(const struct session *session) {
    return session->messages.told == session->messages.received && session->topic.told == session->topic.received;
}

static uint8_t *news(struct line *line, uint8_t *at) {
    struct session *session = &line->session;
    uint64_t counts[2] = {htobe64(session->received), htobe64(session->sent)};
    at = frame(at, ACK, counts, sizeof counts);
    if (session->messages.told != session->messages.received || !session->is_open)
        at = news_of(&session->messages, 0, at);
    if (session->topic.told != session->topic.received)
        at = news_of(&session->topic, 1, at);
    return at;
}

void session_tell(struct line *line) {
    uint8_t said[256];
    if (line->session.is_open && !is_told(&line->session))
        say(line, said, (size_t)(news(line, said) - said));
}

static void welcomed(struct line *line, const uint8_t *payload, size_t size) {
    static const uint8_t key[] = "\xa5token\xc4\x20"; /* msgpack: a text of 5, then 32 bytes */
    const uint8_t *found = memmem(payload, size, key, sizeof key - 1);
    if (!found || found + sizeof key - 1 + TOKEN > payload + size)
        die("no token in WELCOME");
    uint8_t said[256], *at = frame(said, CONFIRM, found + sizeof key - 1, TOKEN);
    say(line, said, (size_t)(news(line, at) - said));
    line->session.is_open = 1;
    if (!line->opening) {
        line->is_ready = 1;
        return;
    }
    if (line->outbox && getrandom(line->opening->data + line->opening->size - line->outbox, line->outbox, 0) != (ssize_t)line->outbox)
        die("getrandom");
    line->session.sent += 2;
    say(line, line->opening->data, line->opening->size);
}

/* A topic's flow says first that it is open; then come publications, or answers to what is published. */
static void topic_said(struct line *line, const uint8_t *payload, uint32_t length) {
    line->is_ready = 1;
    if (length < 2 || payload[1] > 1)
        die(line->outbox ? "something was not published" : "a gap");
    if (payload[0] == FOUR) {
        line->got++;
        if (payload[1] == 1)
            line->session.answered++;
    }
}

static void counted(struct line *line, const uint8_t *whole, uint32_t length) {
    struct session *session = &line->session;
    struct flow *flow = whole[8] ? &session->topic : &session->messages;
    if (whole[4] > LAST_DATA || (whole[8] && !line->opening))
        die("a frame that a load is never told");
    session->received++;
    flow->received++;
    flow->cost += length + FRAME_COST;
    if (whole[8])
        topic_said(line, whole + HEADER, length);
    else
        line->got++;
    if ((flow->received - flow->told) * (length + FRAME_COST) >= WINDOW / 2)
        session_tell(line);
}

static void take(struct line *line, const uint8_t *whole, uint32_t length) {
    uint8_t kind = whole[4], said[256], *at = said;
    if (kind >= COUNTED) {
        counted(line, whole, length);
    } else if (kind == WELCOME) {
        welcomed(line, whole + HEADER, length);
    } else if (kind == PING) {
        say(line, said, (size_t)(frame(said, PONG, "", 0) - said));
    } else if (kind == ASK) {
        at = news(line, at);
        say(line, said, (size_t)(at - said));
    } else if (kind == CREDIT) {
        uint64_t credit;
        memcpy(&credit, whole + HEADER, sizeof credit);
        if (whole[8])
            line->session.topic_credit = be64toh(credit);
    } else if (kind != PONG && kind != ACK && kind != HANDLED) {
        die("refused, or closed by the server");
    }
}

static void feed(struct line *line, const uint8_t *data, size_t size) {
    struct session *session = &line->session;
    while (size) {
        uint32_t length = 0, wanted = session->has_magic ? HEADER : MAGIC;
        if (session->has_magic && !session->size && size >= HEADER) { /* most frames are whole */
            memcpy(&length, data, 4);
            length = ntohl(length);
            if (length <= PAYLOAD && size >= HEADER + length) {
                take(line, data, length);
                data += HEADER + length;
                size -= HEADER + length;
                continue;
            }
            length = 0;
        }
        if (session->has_magic && session->size >= HEADER) {
            memcpy(&length, session->frame, 4);
            length = ntohl(length);
            if (length > PAYLOAD)
                die("a frame that is too large");
            wanted += length;
        }
        size_t part = wanted - session->size < size ? wanted - session->size : size;
        memcpy(session->frame + session->size, data, part);
        session->size += (uint32_t)part;
        data += part;
        size -= part;
        if (session->size < wanted)
            return;
        if (!session->has_magic) {
            session->has_magic = 1;
            session->size = 0;
            continue;
        }
        memcpy(&length, session->frame, 4);
        length = ntohl(length);
        if (session->size == HEADER + length) {
            session->size = 0;
            take(line, session->frame, length);
        }
    }
}

void session_feed(struct line *line, const uint8_t *data, size_t size) {
    struct session *session = &line->session;
    if (!is_web) {
        feed(line, data, size);
        return;
    }
    while (size) {
        if (session->web_left) {
            size_t part = session->web_left < size ? (size_t)session->web_left : size;
            session->web_left -= part;
            feed(line, data, part);
            data += part;
            size -= part;
            continue;
        }
        uint8_t *head = session->web_head;
        head[session->web_size++] = *data++;
        size--;
        uint32_t more = session->web_size < 2 ? 0 : head[1] == 126 ? 2 : head[1] == 127 ? 8 : 0;
        if (session->web_size < 2 + more)
            continue;
        if (head[0] != 0x82)
            die("no binary message");
        session->web_left = more ? 0 : head[1];
        for (uint32_t n = 2; n < 2 + more; n++)
            session->web_left = session->web_left << 8 | head[n];
        session->web_size = 0;
    }
}
