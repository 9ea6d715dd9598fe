/* Makes the k-th call that changes a file fail, or the disk be full, for LD_PRELOAD: see faulty.py.
 *
 * Only descriptors of regular files and directories count, and only between arm() and disarm(). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static long countdown = -1; /* calls until the fault; negative: none */
static int fault;           /* the errno to give; 0 = a short write */
static int sticky;          /* whether every later call fails, too */
static long calls;          /* how many were counted since arm() */
static int hits;

void faulty_arm(long k, int number, int stays) { countdown = k; fault = number; sticky = stays; calls = 0; hits = 0; }
long faulty_calls(void) { return calls; }
int faulty_hits(void) { return hits; }
void faulty_disarm(void) { countdown = -1; }

static int is_file(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
}

static int is_due(void) {
    if (countdown < 0) return 0;
    calls++;
    if (calls == countdown || (sticky && calls > countdown)) { hits++; return 1; }
    return 0;
}

#define REAL(type, name, args) static type(*real) args; if (!real) real = (type(*) args)dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t count) {
    REAL(ssize_t, "write", (int, const void *, size_t));
    if (countdown >= 0 && is_file(fd) && is_due()) {
        if (fault == 0 && count > 1) return real(fd, data, count / 2);
        if (fault != 0) {
            if (count > 1 && fault != EIO) real(fd, data, count / 2); /* a full disk takes what it can */
            errno = fault;
            return -1;
        }
    }
    return real(fd, data, count);
}

static int fail(void) { errno = fault ? fault : EIO; return -1; }

#define FAILING(name, args, call, fd)                      \
    int name args {                                        \
        REAL(int, #name, args);                            \
        if (countdown >= 0 && is_file(fd) && is_due() && fault) return fail(); \
        return real call;                                  \
    }

FAILING(fsync, (int fd), (fd), fd)
FAILING(fdatasync, (int fd), (fd), fd)
FAILING(ftruncate, (int fd, off_t size), (fd, size), fd)
FAILING(ftruncate64, (int fd, off64_t size), (fd, size), fd)
FAILING(fallocate, (int fd, int mode, off_t at, off_t count), (fd, mode, at, count), fd)
FAILING(fallocate64, (int fd, int mode, off64_t at, off64_t count), (fd, mode, at, count), fd)

int rename(const char *from, const char *to) {
    REAL(int, "rename", (const char *, const char *));
    if (countdown >= 0 && is_due() && fault) return fail();
    return real(from, to);
}
