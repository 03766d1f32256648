/* A library to be preloaded: counts the calls of libc that change files below a folder, and lets one of them go
 * wrong. Rust's standard library and SQLite both come through here. See tests/it/crash_points.rs.
 *
 *   CRASH_DIR   the folder, as `realpath` names it
 *   CRASH_LOG   a file outside of it: a line for each call (CRASH_AT 0) or for the one that was hit
 *   CRASH_AT    which call, from 1; 0 for none
 *   CRASH_DO    what happens there:
 *     before    SIGKILL before it
 *     after     SIGKILL after it
 *     torn      half of the bytes are written, then SIGKILL
 *     cut       a power cut: files lose what was appended since they were last synced, then SIGKILL; names stay
 *     ENOSPC, EIO, EINTR   the call fails so, once
 * What cannot happen to a call (a torn rename) does not, and the log says `none`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN = 1, WRITE = 2, RENAME = 4, REMOVE = 8, SYNC = 16, RESIZE = 32, MKDIR = 64 };
enum verdict { GO, KILL_AFTER, TORN, FAIL };

static const char *dir, *todo;
static long at, calls;
static int log_fd = -1;

#define REAL(name, type) static type (*real_##name)
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name)
REAL(open, int)(const char *, int, ...);
REAL(openat, int)(int, const char *, int, ...);
REAL(write, ssize_t)(int, const void *, size_t);
REAL(pwrite64, ssize_t)(int, const void *, size_t, off64_t);
REAL(writev, ssize_t)(int, const struct iovec *, int);
REAL(pwritev64, ssize_t)(int, const struct iovec *, int, off64_t);
REAL(rename, int)(const char *, const char *);
REAL(renameat, int)(int, const char *, int, const char *);
REAL(renameat2, int)(int, const char *, int, const char *, unsigned);
REAL(link, int)(const char *, const char *);
REAL(linkat, int)(int, const char *, int, const char *, int);
REAL(unlink, int)(const char *);
REAL(unlinkat, int)(int, const char *, int);
REAL(rmdir, int)(const char *);
REAL(mkdir, int)(const char *, mode_t);
REAL(mkdirat, int)(int, const char *, mode_t);
REAL(fsync, int)(int);
REAL(fdatasync, int)(int);
REAL(ftruncate64, int)(int, off64_t);
REAL(fallocate64, int)(int, int, off64_t, off64_t);
REAL(posix_fallocate64, int)(int, off64_t, off64_t);
REAL(msync, int)(void *, size_t, int);

__attribute__((constructor)) static void begin(void) {
    FIND(open); FIND(openat); FIND(write); FIND(pwrite64); FIND(writev); FIND(pwritev64); FIND(rename);
    FIND(renameat); FIND(renameat2); FIND(link); FIND(linkat); FIND(unlink); FIND(unlinkat); FIND(rmdir);
    FIND(mkdir); FIND(mkdirat); FIND(fsync); FIND(fdatasync); FIND(ftruncate64); FIND(fallocate64);
    FIND(posix_fallocate64); FIND(msync);
    const char *number = getenv("CRASH_AT"), *log = getenv("CRASH_LOG");
    todo = getenv("CRASH_DO");
    at = number ? atol(number) : 0;
    if (log) log_fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dir = getenv("CRASH_DIR");
}

/* ---- what a power cut takes ---- */

struct seen { dev_t dev; ino_t ino; off_t synced; int fd; };
static struct seen files[4096];
static int known;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Notes a file that is about to be written, or that has just been synced. */
static void note(int fd, int is_synced) {
    struct stat stat;
    if (!todo || strcmp(todo, "cut") || fstat(fd, &stat) || !S_ISREG(stat.st_mode)) return;
    pthread_mutex_lock(&lock);
    int i = 0;
    while (i < known && (files[i].dev != stat.st_dev || files[i].ino != stat.st_ino)) i++;
    if (i == known) {
        if (known == 4096) abort();
        int kept = fcntl(fd, F_DUPFD_CLOEXEC, 500);
        /* What was there before this process counts as synced; a new file has nothing yet. */
        files[known++] = (struct seen){stat.st_dev, stat.st_ino, stat.st_size, kept};
    }
    if (is_synced || stat.st_size < files[i].synced) files[i].synced = stat.st_size;
    pthread_mutex_unlock(&lock);
}

static void power_cut(void) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < known; i++) {
        struct stat stat;
        if (!fstat(files[i].fd, &stat) && stat.st_size > files[i].synced)
            syscall(SYS_ftruncate, files[i].fd, files[i].synced);
    }
}

/* ---- the one place that decides ---- */

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static void say(long number, const char *did, const char *call, const char *path) {
    char line[PATH_MAX + 100];
    int length = snprintf(line, sizeof line, "%ld %s %s %s\n", number, did, call, path);
    syscall(SYS_write, log_fd, line, length);
}

/* Returns what is to happen to a call on a path that is below the folder. */
static enum verdict judge(enum kind kind, const char *call, const char *path) {
    size_t length = strlen(dir);
    long number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    path += length + (path[length] == '/');
    if (at == 0) say(number, "none", call, path);
    if (number != at) return GO;
    int is_error = !strcmp(todo, "ENOSPC") || !strcmp(todo, "EIO") || !strcmp(todo, "EINTR");
    int fits = !strcmp(todo, "torn") ? kind == WRITE
        : !strcmp(todo, "ENOSPC") ? kind & (OPEN | WRITE | RENAME | SYNC | RESIZE | MKDIR)
        : !strcmp(todo, "EINTR") ? kind & (OPEN | WRITE | RENAME | SYNC | RESIZE) : 1;
    say(number, fits ? todo : "none", call, path);
    if (!fits) return GO;
    if (is_error) {
        errno = !strcmp(todo, "ENOSPC") ? ENOSPC : !strcmp(todo, "EIO") ? EIO : EINTR;
        return FAIL;
    }
    if (!strcmp(todo, "torn")) return TORN;
    if (!strcmp(todo, "after")) return KILL_AFTER;
    if (!strcmp(todo, "cut")) power_cut();
    die();
    return GO;
}

static int is_below(const char *path) {
    size_t length = dir ? strlen(dir) : 0;
    return length && !strncmp(path, dir, length) && (path[length] == '/' || !path[length]);
}

static int path_of_fd(int fd, char *path) {
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlink, name, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return length > 0;
}

static enum verdict judge_fd(enum kind kind, const char *call, int fd) {
    char path[PATH_MAX];
    if (!dir || !path_of_fd(fd, path) || !is_below(path)) return GO;
    if (kind == WRITE || kind == RESIZE) note(fd, 0);
    return judge(kind, call, path);
}

static enum verdict judge_path(enum kind kind, const char *call, int base, const char *name) {
    char path[2 * PATH_MAX];
    if (!dir || !name) return GO;
    if (name[0] == '/') {
        snprintf(path, sizeof path, "%s", name);
    } else {
        if (base == AT_FDCWD ? syscall(SYS_getcwd, path, PATH_MAX) <= 0 : !path_of_fd(base, path)) return GO;
        size_t length = strlen(path);
        snprintf(path + length, sizeof path - length, "/%s", name);
    }
    return is_below(path) ? judge(kind, call, path) : GO;
}

/* Runs a call as it was judged. */
#define AS_JUDGED(judged, run) \
    do { \
        enum verdict found = (judged); \
        if (found == FAIL) return -1; \
        __typeof__(run) result = (run); \
        if (found == KILL_AFTER) die(); \
        return result; \
    } while (0)

/* ---- the calls ---- */

static int changes(int flags) { return flags & (O_CREAT | O_TRUNC); }

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); va_end(list); \
        AS_JUDGED(changes(flags) ? judge_path(OPEN, "open", AT_FDCWD, path) : GO, real_open(path, flags, mode)); \
    }
OPENS(open)
OPENS(open64)
#define OPENS_AT(name) \
    int name(int base, const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); mode_t mode = va_arg(list, mode_t); va_end(list); \
        AS_JUDGED(changes(flags) ? judge_path(OPEN, "open", base, path) : GO, real_openat(base, path, flags, mode)); \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

ssize_t write(int fd, const void *bytes, size_t count) {
    enum verdict verdict = judge_fd(WRITE, "write", fd);
    if (verdict == TORN) { real_write(fd, bytes, count / 2); die(); }
    AS_JUDGED(verdict, real_write(fd, bytes, count));
}

#define PWRITES(name) \
    ssize_t name(int fd, const void *bytes, size_t count, off64_t offset) { \
        enum verdict verdict = judge_fd(WRITE, "pwrite", fd); \
        if (verdict == TORN) { real_pwrite64(fd, bytes, count / 2, offset); die(); } \
        AS_JUDGED(verdict, real_pwrite64(fd, bytes, count, offset)); \
    }
PWRITES(pwrite)
PWRITES(pwrite64)

static void tear(int fd, const struct iovec *parts, int count) {
    size_t left = 0;
    for (int i = 0; i < count; i++) left += parts[i].iov_len;
    left /= 2;
    for (int i = 0; i < count && left > 0; i++) {
        size_t some = parts[i].iov_len < left ? parts[i].iov_len : left;
        real_write(fd, parts[i].iov_base, some);
        left -= some;
    }
    die();
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    enum verdict verdict = judge_fd(WRITE, "writev", fd);
    if (verdict == TORN) tear(fd, parts, count);
    AS_JUDGED(verdict, real_writev(fd, parts, count));
}

#define PWRITEVS(name) \
    ssize_t name(int fd, const struct iovec *parts, int count, off64_t offset) { \
        enum verdict verdict = judge_fd(WRITE, "pwritev", fd); \
        if (verdict == TORN) { real_pwrite64(fd, parts[0].iov_base, parts[0].iov_len / 2, offset); die(); } \
        AS_JUDGED(verdict, real_pwritev64(fd, parts, count, offset)); \
    }
PWRITEVS(pwritev)
PWRITEVS(pwritev64)

int rename(const char *from, const char *to) {
    AS_JUDGED(judge_path(RENAME, "rename", AT_FDCWD, to), real_rename(from, to));
}
int renameat(int base, const char *from, int to_base, const char *to) {
    AS_JUDGED(judge_path(RENAME, "rename", to_base, to), real_renameat(base, from, to_base, to));
}
int renameat2(int base, const char *from, int to_base, const char *to, unsigned flags) {
    AS_JUDGED(judge_path(RENAME, "rename", to_base, to), real_renameat2(base, from, to_base, to, flags));
}
int link(const char *from, const char *to) {
    AS_JUDGED(judge_path(RENAME, "link", AT_FDCWD, to), real_link(from, to));
}
int linkat(int base, const char *from, int to_base, const char *to, int flags) {
    AS_JUDGED(judge_path(RENAME, "link", to_base, to), real_linkat(base, from, to_base, to, flags));
}
int unlink(const char *path) {
    AS_JUDGED(judge_path(REMOVE, "unlink", AT_FDCWD, path), real_unlink(path));
}
int unlinkat(int base, const char *path, int flags) {
    AS_JUDGED(judge_path(REMOVE, "unlink", base, path), real_unlinkat(base, path, flags));
}
int rmdir(const char *path) {
    AS_JUDGED(judge_path(REMOVE, "rmdir", AT_FDCWD, path), real_rmdir(path));
}
int mkdir(const char *path, mode_t mode) {
    AS_JUDGED(judge_path(MKDIR, "mkdir", AT_FDCWD, path), real_mkdir(path, mode));
}
int mkdirat(int base, const char *path, mode_t mode) {
    AS_JUDGED(judge_path(MKDIR, "mkdir", base, path), real_mkdirat(base, path, mode));
}

static int synced(int fd, int result) {
    if (!result) note(fd, 1);
    return result;
}
int fsync(int fd) { AS_JUDGED(judge_fd(SYNC, "fsync", fd), synced(fd, real_fsync(fd))); }
int fdatasync(int fd) { AS_JUDGED(judge_fd(SYNC, "fdatasync", fd), synced(fd, real_fdatasync(fd))); }

#define TRUNCATES(name) \
    int name(int fd, off64_t length) { AS_JUDGED(judge_fd(RESIZE, "ftruncate", fd), real_ftruncate64(fd, length)); }
TRUNCATES(ftruncate)
TRUNCATES(ftruncate64)
#define ALLOCATES(name) \
    int name(int fd, int mode, off64_t offset, off64_t length) { \
        AS_JUDGED(judge_fd(RESIZE, "fallocate", fd), real_fallocate64(fd, mode, offset, length)); \
    }
ALLOCATES(fallocate)
ALLOCATES(fallocate64)
#define POSIX_ALLOCATES(name) \
    int name(int fd, off64_t offset, off64_t length) { \
        enum verdict verdict = judge_fd(RESIZE, "posix_fallocate", fd); \
        if (verdict == FAIL) return errno; \
        AS_JUDGED(verdict, real_posix_fallocate64(fd, offset, length)); \
    }
POSIX_ALLOCATES(posix_fallocate)
POSIX_ALLOCATES(posix_fallocate64)

/* Nothing here uses it; whoever begins to is told by the test's first run. */
int msync(void *address, size_t length, int flags) {
    if (dir) judge(SYNC, "msync", dir);
    return real_msync(address, length, flags);
}
