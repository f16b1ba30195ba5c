/* Sits between a program and the C library (LD_PRELOAD) and writes down what the program does to the files of one folder.
 *
 * POWERCUT_FOLDER  the folder, as the program names it; other files are none of our business
 * POWERCUT_RECORD  where to write; several processes, one after another, append to it
 * POWERCUT_FAULT   kind:first:count:errno makes calls fail: kind is sync, write or truncate; the first-th call of the process and as
 *                  many as count say. A failed sync syncs nothing. A disk without room takes half of the first write.
 * POWERCUT_LIES    files whose names end so are never synced and nobody is told; "." is the folder itself
 *
 * One lock is held from before a call until it is written down, so the record has one order and it is the true one. What it cannot
 * write down (mapped files, vectored writes) it marks with X, and the record is refused. Names that begin with a dot are the
 * program's own notes: recorded, and never failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 1024
#define EXPORT __attribute__((visibility("default")))

struct event {
    uint32_t kind, pid;
    int64_t fd, offset;
    uint64_t length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[1024];
static size_t folder_length;
static int record = -1;
static char names[FILES][128];
static const char *lies;
static char fault_kind;
static long fault_first, fault_count;
static int fault_errno;
static long calls[128];
static int room_ran_out;

static void add(char kind, int fd, int64_t offset, const void *data, size_t length)
{
    struct event event = {(uint32_t)kind, (uint32_t)getpid(), fd, offset, length};
    struct iovec parts[2] = {{&event, sizeof event}, {(void *)data, length}};
    if (syscall(SYS_writev, record, parts, 2) != (ssize_t)(sizeof event + length))
        abort(); /* a record with a hole would be a lie */
}

__attribute__((constructor)) static void begin(void)
{
    const char *where = getenv("POWERCUT_FOLDER"), *into = getenv("POWERCUT_RECORD"), *fault = getenv("POWERCUT_FAULT");
    if (!where || !into)
        return;
    folder_length = strlen(where);
    if (folder_length >= sizeof folder)
        abort();
    memcpy(folder, where, folder_length + 1);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, into, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    record = fcntl(fd, F_DUPFD_CLOEXEC, FILES); /* out of the way of the program's own */
    syscall(SYS_close, fd);
    if (record < 0)
        abort();
    lies = getenv("POWERCUT_LIES");
    if (lies && !*lies)
        lies = NULL;
    if (fault && *fault) {
        char kind[16];
        if (sscanf(fault, "%15[a-z]:%ld:%ld:%d", kind, &fault_first, &fault_count, &fault_errno) != 4)
            abort();
        fault_kind = *kind;
    }
    add('P', -1, 0, NULL, 0);
}

/* The name within the folder, "." for the folder itself, or NULL for what is not ours. */
static const char *ours(const char *path)
{
    if (record < 0 || !path || strncmp(path, folder, folder_length))
        return NULL;
    if (!path[folder_length])
        return ".";
    return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

static const char *name_of(int fd)
{
    return record >= 0 && fd >= 0 && fd < FILES && names[fd][0] ? names[fd] : NULL;
}

/* Whether this call is one that fails; counts it. */
static int fails(char kind, const char *name)
{
    if (kind != fault_kind || (*name == '.' && name[1]))
        return 0;
    long call = ++calls[(int)kind];
    return call >= fault_first && call < fault_first + fault_count;
}

static int ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && !strcmp(name + length - tail, end);
}

#define REAL(type, symbol, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) \
    real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, symbol)

static int opened(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...))
{
    const char *name = ours(path);
    if (!name)
        return real(path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat before;
    int is_new = stat(path, &before) != 0;
    int fd = real(path, flags, mode);
    int error = errno;
    if (fd >= FILES || (fd >= 0 && strlen(name) >= sizeof *names))
        abort();
    if (fd >= 0) {
        strcpy(names[fd], name);
        add('O', fd, (is_new ? 1 : 0) | (flags & O_TRUNC ? 2 : 0), name, strlen(name));
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define OPEN(symbol) \
    EXPORT int symbol(const char *path, int flags, ...) \
    { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | __O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        REAL(int, #symbol, const char *, int, ...); \
        return opened(path, flags, mode, real); \
    }
OPEN(open)
OPEN(open64)

EXPORT int close(int fd)
{
    REAL(int, "close", int);
    if (!name_of(fd))
        return real(fd);
    pthread_mutex_lock(&lock);
    add('C', fd, 0, NULL, 0);
    names[fd][0] = 0;
    int answer = real(fd);
    pthread_mutex_unlock(&lock);
    return answer;
}

/* How much of a write is made: all, or what the fault leaves of it. */
static ssize_t allowed(const char *name, size_t length)
{
    if (!fails('w', name))
        return (ssize_t)length;
    if (fault_errno == ENOSPC && !room_ran_out++ && length > 1)
        return (ssize_t)(length / 2);
    add('N', -1, 0, NULL, 0);
    errno = fault_errno;
    return -1;
}

EXPORT ssize_t write(int fd, const void *data, size_t length)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    const char *name = name_of(fd);
    if (!name)
        return real(fd, data, length);
    pthread_mutex_lock(&lock);
    ssize_t answer = allowed(name, length);
    if (answer >= 0) {
        struct stat now;
        int64_t offset = lseek(fd, 0, SEEK_CUR);
        if (fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &now))
            offset = now.st_size;
        answer = real(fd, data, (size_t)answer);
        if (answer > 0)
            add('W', fd, offset, data, (size_t)answer);
    }
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return answer;
}

static ssize_t written_at(
    int fd, const void *data, size_t length, int64_t offset, ssize_t (*real)(int, const void *, size_t, int64_t))
{
    const char *name = name_of(fd);
    if (!name)
        return real(fd, data, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t answer = allowed(name, length);
    if (answer >= 0)
        answer = real(fd, data, (size_t)answer, offset);
    if (answer > 0)
        add('W', fd, offset, data, (size_t)answer);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return answer;
}

#define PWRITE(symbol) \
    EXPORT ssize_t symbol(int fd, const void *data, size_t length, int64_t offset) \
    { \
        REAL(ssize_t, #symbol, int, const void *, size_t, int64_t); \
        return written_at(fd, data, length, offset, real); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

static int truncated(int fd, int64_t size, int (*real)(int, int64_t))
{
    const char *name = name_of(fd);
    if (!name)
        return real(fd, size);
    pthread_mutex_lock(&lock);
    int answer = -1, error = fault_errno;
    if (!fails('t', name)) {
        answer = real(fd, size);
        error = errno;
    }
    add(answer ? 'N' : 'T', fd, size, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return answer;
}

#define TRUNCATE(symbol) \
    EXPORT int symbol(int fd, int64_t size) \
    { \
        REAL(int, #symbol, int, int64_t); \
        return truncated(fd, size, real); \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

static int synced(int fd, int (*real)(int))
{
    const char *name = name_of(fd);
    if (!name)
        return real(fd);
    if (lies && ends_with(name, lies))
        return 0;
    pthread_mutex_lock(&lock);
    int answer = -1, error = fault_errno;
    if (!fails('s', name)) {
        answer = real(fd);
        error = errno;
    }
    add(answer ? 'F' : 'S', fd, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return answer;
}

#define SYNC(symbol) \
    EXPORT int symbol(int fd) \
    { \
        REAL(int, #symbol, int); \
        return synced(fd, real); \
    }
SYNC(fsync)
SYNC(fdatasync)

EXPORT int unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    const char *name = ours(path);
    if (!name)
        return real(path);
    pthread_mutex_lock(&lock);
    int answer = real(path), error = errno;
    if (!answer)
        add('U', -1, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    errno = error;
    return answer;
}

EXPORT int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    const char *old = ours(from), *new = ours(to);
    if (!old && !new)
        return real(from, to);
    pthread_mutex_lock(&lock);
    add('X', -1, 0, "rename", 6);
    pthread_mutex_unlock(&lock);
    return real(from, to);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    if (name_of(fd))
        add('X', fd, 0, "writev", 6);
    return real(fd, parts, count);
}

#define MMAP(symbol) \
    EXPORT void *symbol(void *at, size_t length, int protection, int flags, int fd, off_t offset) \
    { \
        REAL(void *, #symbol, void *, size_t, int, int, int, off_t); \
        if (name_of(fd) && protection & PROT_WRITE && flags & MAP_SHARED) \
            add('X', fd, 0, "mmap", 4); \
        return real(at, length, protection, flags, fd, offset); \
    }
MMAP(mmap)
MMAP(mmap64)

/* os._exit of one thread must not end another between what it did and its line in the record. */
EXPORT __attribute__((noreturn)) void _exit(int code)
{
    pthread_mutex_lock(&lock);
    syscall(SYS_exit_group, code);
    __builtin_unreachable();
}
