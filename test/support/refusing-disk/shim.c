/*
 * The calls of the C library by which a process changes the disk below one folder, for a process that is started with this library
 * in LD_PRELOAD: they are traced, and refused when a test says so (refusing-disk.ts). It reaches what no function of the runtime
 * does: the calls of SQLite.
 *
 * DISK_FOLDER is the folder, without a slash at its end; DISK_CONTROL a file of `struct control`, which both sides map; DISK_TRACE
 * a file that gets a line for each call: its name, a space, and the path below the folder.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
  int is_armed;   /* 1: the next call that fits is refused, and all behind it */
  int error;      /* errno */
  int passes;     /* so many calls that fit are let through before */
  int is_refusing; /* set here by the call that was the first */
  int is_traced;
  int refused;    /* how many were */
  char unused[40];
  char call[64];  /* a pattern of fnmatch */
  char file[256]; /* the same for the path below the folder */
  char first[512]; /* what was refused first, as in the trace */
};

static struct control *control;
static const char *folder;
static size_t folder_length;
static int trace = -1;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("DISK_CONTROL");
  folder = getenv("DISK_FOLDER");
  if (file == NULL || folder == NULL) return;
  folder_length = strlen(folder);
  int fd = REAL(open)(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (getenv("DISK_TRACE") != NULL) {
    trace = REAL(open)(getenv("DISK_TRACE"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  }
  if (mapped != MAP_FAILED) control = mapped;
}

/* Whether the call is refused; errno is set then. `path` is a whole one. */
static int is_refused(const char *call, const char *path) {
  if (control == NULL || strncmp(path, folder, folder_length) != 0 || path[folder_length] != '/') return 0;
  const char *file = path + folder_length + 1;
  if (control->is_traced && trace >= 0) {
    char line[PATH_MAX + 32];
    int length = snprintf(line, sizeof line, "%s %s\n", call, file);
    if (REAL(write)(trace, line, length) < 0) abort();
  }
  if (!control->is_armed) return 0;
  if (!control->is_refusing) {
    if (fnmatch(control->call, call, 0) != 0 || fnmatch(control->file, file, 0) != 0) return 0;
    if (__atomic_fetch_sub(&control->passes, 1, __ATOMIC_SEQ_CST) > 0) return 0;
    snprintf(control->first, sizeof control->first, "%s %s", call, file);
    control->is_refusing = 1;
  }
  __atomic_fetch_add(&control->refused, 1, __ATOMIC_SEQ_CST);
  errno = control->error;
  return 1;
}

static int is_refused_at(const char *call, int directory, const char *path) {
  if (path[0] == '/') return is_refused(call, path);
  char whole[2 * PATH_MAX];
  char link[64];
  ssize_t length;
  if (directory == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
  else snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
  length = readlink(link, whole, PATH_MAX);
  if (length < 0) return 0;
  snprintf(whole + length, sizeof whole - length, "/%s", path);
  return is_refused(call, whole);
}

static int is_refused_for(const char *call, int fd) {
  if (control == NULL) return 0;
  char link[64];
  char path[PATH_MAX + 1];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX);
  if (length < 0) return 0;
  path[length] = 0;
  return is_refused(call, path);
}

/* The first refused write of several bytes has written half of them, as on a disk that becomes full in the middle of it. */
static size_t half_of(size_t count) {
  return control->error == ENOSPC && control->refused == 1 ? count / 2 : 0;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (!is_refused_for("write", fd)) return REAL(write)(fd, bytes, count);
  size_t half = half_of(count);
  return half > 0 ? REAL(write)(fd, bytes, half) : -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  if (!is_refused_for("write", fd)) return REAL(pwrite)(fd, bytes, count, at);
  size_t half = half_of(count);
  return half > 0 ? REAL(pwrite)(fd, bytes, half, at) : -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return pwrite(fd, bytes, count, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  return is_refused_for("write", fd) ? -1 : REAL(writev)(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  return is_refused_for("write", fd) ? -1 : REAL(pwritev)(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  return is_refused_for("write", fd) ? -1 : REAL(pwritev64)(fd, parts, count, at);
}

int fsync(int fd) { return is_refused_for("sync", fd) ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return is_refused_for("sync", fd) ? -1 : REAL(fdatasync)(fd); }

int ftruncate(int fd, off_t length) { return is_refused_for("truncate", fd) ? -1 : REAL(ftruncate)(fd, length); }

int ftruncate64(int fd, off64_t length) { return is_refused_for("truncate", fd) ? -1 : REAL(ftruncate64)(fd, length); }

int truncate(const char *path, off_t length) {
  return is_refused_at("truncate", AT_FDCWD, path) ? -1 : REAL(truncate)(path, length);
}

int truncate64(const char *path, off64_t length) {
  return is_refused_at("truncate", AT_FDCWD, path) ? -1 : REAL(truncate64)(path, length);
}

int fallocate(int fd, int mode, off_t at, off_t length) {
  return is_refused_for("allocate", fd) ? -1 : REAL(fallocate)(fd, mode, at, length);
}

int fallocate64(int fd, int mode, off64_t at, off64_t length) {
  return is_refused_for("allocate", fd) ? -1 : REAL(fallocate64)(fd, mode, at, length);
}

int posix_fallocate(int fd, off_t at, off_t length) {
  return is_refused_for("allocate", fd) ? errno : REAL(posix_fallocate)(fd, at, length);
}

/* Only one that makes a file is a change. */
static int is_making_refused(int directory, const char *path, int flags) {
  if ((flags & O_CREAT) == 0 || faccessat(directory, path, F_OK, 0) == 0) return 0;
  return is_refused_at("make", directory, path);
}

#define MODE_OF(flags)                        \
  mode_t mode = 0;                            \
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) { \
    va_list rest;                             \
    va_start(rest, flags);                    \
    mode = va_arg(rest, mode_t);              \
    va_end(rest);                             \
  }

int open(const char *path, int flags, ...) {
  MODE_OF(flags)
  return is_making_refused(AT_FDCWD, path, flags) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE_OF(flags)
  return is_making_refused(AT_FDCWD, path, flags) ? -1 : REAL(open64)(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
  MODE_OF(flags)
  return is_making_refused(directory, path, flags) ? -1 : REAL(openat)(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
  MODE_OF(flags)
  return is_making_refused(directory, path, flags) ? -1 : REAL(openat64)(directory, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
  return is_refused_at("make", AT_FDCWD, path) ? -1 : REAL(mkdir)(path, mode);
}

int link(const char *from, const char *to) { return is_refused_at("make", AT_FDCWD, to) ? -1 : REAL(link)(from, to); }

int unlink(const char *path) { return is_refused_at("remove", AT_FDCWD, path) ? -1 : REAL(unlink)(path); }

int unlinkat(int directory, const char *path, int flags) {
  return is_refused_at("remove", directory, path) ? -1 : REAL(unlinkat)(directory, path, flags);
}

int rmdir(const char *path) { return is_refused_at("remove", AT_FDCWD, path) ? -1 : REAL(rmdir)(path); }

int remove(const char *path) { return is_refused_at("remove", AT_FDCWD, path) ? -1 : REAL(remove)(path); }

int rename(const char *from, const char *to) {
  return is_refused_at("rename", AT_FDCWD, to) ? -1 : REAL(rename)(from, to);
}
