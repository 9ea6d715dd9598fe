/* Makes the k-th call that changes a file fail, be cut short, or be the process's last; and writes down all of them. For
 * LD_PRELOAD: see every_call.py.
 *
 * Only regular files and directories count, and calls only between faulty_arm() and faulty_disarm(). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SHORT = 0, KILL = -1 }; /* other faults are an errno */

static volatile int armed;
static long due;   /* the call that fails */
static int fault;
static int sticky; /* whether every later call fails, too */
static long calls; /* how many were counted since faulty_arm() */
static int hits;
static int trace = -1; /* a descriptor that all calls are written to */

void faulty_arm(long k, int number, int stays) { due = k; fault = number; sticky = stays; calls = 0; hits = 0; armed = 1; }
void faulty_trace(int fd) { trace = fd; }
long faulty_calls(void) { return calls; }
int faulty_hits(void) { return hits; }
void faulty_disarm(void) { armed = 0; }

#define REAL(type, name, args) static type(*real) args; if (!real) real = (type(*) args)dlsym(RTLD_NEXT, name)

static int is_file(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
}

static void note_path(const char *name, const char *path) {
    if (trace >= 0) dprintf(trace, "call %s %s\n", name, path);
}

static void note(const char *name, int fd) {
    char link[64], path[PATH_MAX];
    if (trace < 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = 0;
    note_path(name, path);
}

static int is_due(void) {
    calls++;
    if (calls != due && !(sticky && calls > due)) return 0;
    hits++;
    if (fault == KILL) kill(getpid(), SIGKILL);
    return fault != SHORT;
}

static int failed(void) { errno = fault; return -1; }

/* A write: half of it is done where the disk is full, the write is cut short, or the process dies in it. */
#define WRITING(name, args, call, half, fd, count)                              \
    ssize_t name args {                                                         \
        REAL(ssize_t, #name, args);                                             \
        if (!armed || !is_file(fd)) return real call;                           \
        note("write", fd);                                                      \
        if (calls + 1 == due && (count) > 1 && fault != EIO) {                  \
            ssize_t done = real half;                                           \
            if (!is_due()) return done;                                         \
            return failed();                                                    \
        }                                                                       \
        return is_due() ? failed() : real call;                                 \
    }

WRITING(write, (int fd, const void *data, size_t count), (fd, data, count), (fd, data, count / 2), fd, count)
WRITING(pwrite, (int fd, const void *data, size_t count, off_t at), (fd, data, count, at), (fd, data, count / 2, at), fd, count)
WRITING(pwrite64, (int fd, const void *data, size_t count, off64_t at), (fd, data, count, at), (fd, data, count / 2, at), fd, count)
WRITING(sendfile, (int fd, int from, off_t *at, size_t count), (fd, from, at, count), (fd, from, at, count / 2), fd, count)
WRITING(sendfile64, (int fd, int from, off64_t *at, size_t count), (fd, from, at, count), (fd, from, at, count / 2), fd, count)

/* Writes, and flushes what it wrote: two calls in one. */
#define WRITING_THROUGH(name, offset)                                                          \
    ssize_t name(int fd, const struct iovec *data, int count, offset at, int flags) {          \
        REAL(ssize_t, #name, (int, const struct iovec *, int, offset, int));                   \
        if (!armed || !is_file(fd)) return real(fd, data, count, at, flags);                   \
        note("write", fd);                                                                     \
        if (calls + 1 == due && data->iov_len > 1 && fault != EIO) {                           \
            struct iovec half = {data->iov_base, data->iov_len / 2};                           \
            ssize_t done = real(fd, &half, 1, at, flags);                                      \
            return is_due() ? failed() : done;                                                 \
        }                                                                                      \
        if (is_due()) return failed();                                                         \
        ssize_t done = real(fd, data, count, at, flags);                                       \
        if (done < 0 || !(flags & RWF_DSYNC)) return done;                                     \
        note("sync", fd);                                                                      \
        return is_due() ? failed() : done;                                                     \
    }

WRITING_THROUGH(pwritev2, off_t)
WRITING_THROUGH(pwritev64v2, off64_t)

#define FAILING(name, label, args, call, fd)               \
    int name args {                                        \
        REAL(int, #name, args);                            \
        if (!armed || !is_file(fd)) return real call;      \
        note(label, fd);                                   \
        return is_due() ? failed() : real call;            \
    }

FAILING(fsync, "sync", (int fd), (fd), fd)
FAILING(fdatasync, "sync", (int fd), (fd), fd)
FAILING(ftruncate, "cut", (int fd, off_t size), (fd, size), fd)
FAILING(ftruncate64, "cut", (int fd, off64_t size), (fd, size), fd)
FAILING(fallocate, "allocate", (int fd, int mode, off_t at, off_t count), (fd, mode, at, count), fd)
FAILING(fallocate64, "allocate", (int fd, int mode, off64_t at, off64_t count), (fd, mode, at, count), fd)

#define NAMING(name, label, args, call, path)     \
    int name args {                               \
        REAL(int, #name, args);                   \
        if (!armed) return real call;             \
        note_path(label, path);                   \
        return is_due() ? failed() : real call;   \
    }

NAMING(rename, "name", (const char *from, const char *to), (from, to), to)
NAMING(unlink, "unname", (const char *path), (path), path)

/* Only where it makes a folder, or a file. */
int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", (const char *, mode_t));
    if (armed && access(path, F_OK) != 0) {
        note_path("name", path);
        if (is_due()) return failed();
    }
    return real(path, mode);
}

#define OPENING(name)                                                       \
    int name(const char *path, int flags, ...) {                            \
        REAL(int, #name, (const char *, int, ...));                         \
        mode_t mode = 0;                                                    \
        if (flags & O_CREAT) {                                              \
            va_list rest;                                                   \
            va_start(rest, flags);                                          \
            mode = va_arg(rest, mode_t);                                    \
            va_end(rest);                                                   \
            if (armed && access(path, F_OK) != 0) {                         \
                note_path("name", path);                                    \
                if (is_due()) return failed();                              \
            }                                                               \
        }                                                                   \
        return real(path, flags, mode);                                     \
    }

OPENING(open)
OPENING(open64)
