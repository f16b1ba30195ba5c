/* As much of a landline session as a client needs that only counts what it is told: docs/protocol.md says what each frame is.
 *
 * It acks, handles and grants as the library does: when half of its window has come, at once when it is asked, and otherwise four times a second
 * (load.c looks at the time). */

#define _GNU_SOURCE /* memmem */
#include "line.h"
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

enum { HEADER = 9, MAGIC = 8, TOKEN = 32, FRAME_COST = 64, WINDOW = 256 << 10 };
enum { WELCOME = 3, CONFIRM = 5, PING = 6, PONG = 7, ACK = 8, HANDLED = 9, CREDIT = 10, ASK = 11, COUNTED = 0x20, LAST_DATA = 0x22 };

static uint8_t *frame(uint8_t *at, uint8_t kind, const void *payload, uint32_t size) {
    uint32_t length = htonl(size);
    memcpy(at, &length, 4);
    at[4] = kind;
    memset(at + 5, 0, 4); /* flow 0 */
    memcpy(at + HEADER, payload, size);
    return at + HEADER + size;
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

static uint8_t *news(struct line *line, uint8_t *at) {
    struct session *session = &line->session;
    uint64_t counts[2] = {htobe64(session->received), htobe64(session->sent)};
    uint64_t credit = htobe64(session->cost + WINDOW);
    session->told = session->received;
    at = frame(at, ACK, counts, sizeof counts);
    at = frame(at, HANDLED, counts, sizeof *counts); /* all that arrive are messages, and are handled at once */
    return frame(at, CREDIT, &credit, sizeof credit);
}

void session_tell(struct line *line) {
    uint8_t said[128];
    if (line->session.is_open && line->session.told != line->session.received)
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
    line->is_ready = 1;
}

static void take(struct line *line, const uint8_t *whole, uint32_t length) {
    struct session *session = &line->session;
    uint8_t kind = whole[4], said[256], *at = said;
    if (kind >= COUNTED) {
        if (kind > LAST_DATA)
            die("a frame that a load is never told");
        session->received++;
        session->cost += length + FRAME_COST;
        line->got++;
        if ((session->received - session->told) * (length + FRAME_COST) >= WINDOW / 2)
            session_tell(line);
    } else if (kind == WELCOME) {
        welcomed(line, whole + HEADER, length);
    } else if (kind == PING) {
        say(line, said, (size_t)(frame(said, PONG, "", 0) - said));
    } else if (kind == ASK) {
        at = news(line, at);
        say(line, said, (size_t)(at - said));
    } else if (kind != PONG && kind != ACK && kind != HANDLED && kind != CREDIT) {
        die("refused, or closed by the server");
    }
}

static void feed(struct line *line, const uint8_t *data, size_t size) {
    struct session *session = &line->session;
    while (size) {
        uint32_t length = 0, wanted = session->has_magic ? HEADER : MAGIC;
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
