/* One connection of the load, and what speaks over it: bytes that are counted (load.c), or a session whose messages are (session.c). */

#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>

enum { TAIL = 64, STEPS = 4, PAYLOAD = 1024 };

struct text {
    uint8_t *data;
    size_t size;
};

/* What came in one flow: how many frames, of how many the server was told that they are handled, and what they count. */
struct flow {
    uint64_t received, told, cost;
};

/* What a session knows of its frames, and of the WebSocket messages that they may come in. */
struct session {
    uint64_t received, sent;               /* counts of the protocol */
    struct flow messages, topic;           /* the latter is flow 1 */
    uint64_t published, answered;          /* publications, and answers to them */
    uint64_t published_cost, topic_credit; /* what they count, and what they may */
    uint64_t web_left;                     /* bytes of the WebSocket message that is arriving */
    uint8_t web_head[10], frame[9 + PAYLOAD];
    uint32_t web_size, size;
    int has_magic, is_open;
};

/* What is said before anything else, a step when the last one was answered: the answer's last bytes are known. */
struct greeting {
    int steps;
    struct text said[STEPS], until[STEPS];
};

struct line {
    int fd, is_ready;
    const struct greeting *greeting;
    const struct text *opening; /* the frames that open a session's flow 1, if it has one: two of them */
    uint64_t outbox;            /* bytes at the end of it that are chance: whoever opens it so publishes */
    int step;                   /* of the greeting */
    uint8_t tail[TAIL];
    size_t tail_size;
    uint64_t got, want; /* bytes, lines of text, or messages of a session */
    double asked;       /* when */
    struct session session;
};

extern int is_session, is_web; /* whether lines carry sessions, and those in WebSocket messages */

void die(const char *what);
void put(struct line *line, const void *data, size_t size);

/* Say the magic and HELLO; what arrives from then on is the session's. */
void session_begin(struct line *line, const struct text *hello);
/* Say one whole counted frame. */
void session_say(struct line *line, const struct text *frame);
/* Say frames that each publish something, the next numbers in them. */
void session_publish(struct line *line, const struct text *frames, uint64_t count);
/* Say how much was received and handled, and grant as much again. */
void session_tell(struct line *line);
/* Take what arrived; messages, publications of a topic, and answers to what was published are added to the line's `got`. */
void session_feed(struct line *line, const uint8_t *data, size_t size);

#endif
