/*
 * A disk that forgets: preloaded into a process, it keeps beside every file of the folder VOLATILE_DATA a shadow in
 * VOLATILE_SHADOW that holds only what was synced. Whoever kills the process and takes the shadow for the folder has
 * pulled the plug on a disk whose cache was never written unless asked.
 *
 * With VOLATILE_LIES set, syncs of files whose names end so are not believed: a disk that lies.
 * A new file counts as durable with its own first sync, as ext4 has it; a removed one is gone for good only when its
 * folder was synced.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct range {
    off_t start;
    off_t length; /* -1: the file was cut at start */
};

struct file {
    char path[PATH_MAX];
    struct range *dirty;
    size_t count, room;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[16];

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void fail(const char *what) {
    perror(what);
    _exit(99);
}

/* The watched file behind fd, or NULL. Called with the lock held. */
static struct file *watched(int fd) {
    const char *folder = getenv("VOLATILE_DATA");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!folder || length < 0) return NULL;
    path[length] = 0;
    size_t prefix = strlen(folder);
    if (strncmp(path, folder, prefix) || path[prefix] != '/') return NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!files[i].path[0]) strcpy(files[i].path, path);
        if (!strcmp(files[i].path, path)) return &files[i];
    }
    fail("too many files");
    return NULL;
}

static void note(struct file *file, off_t start, off_t length) {
    if (file->count == file->room) {
        file->room = file->room ? 2 * file->room : 64;
        file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
        if (!file->dirty) fail("realloc");
    }
    file->dirty[file->count++] = (struct range){start, length};
}

static void copy(int from, int to, struct range range) {
    char buffer[65536];
    while (range.length > 0) {
        size_t want = range.length < (off_t)sizeof buffer ? (size_t)range.length : sizeof buffer;
        ssize_t got = pread(from, buffer, want, range.start);
        if (got < 0) fail("pread");
        if (got == 0) return; /* cut since */
        if (REAL(pwrite)(to, buffer, got, range.start) != got) fail("shadow");
        range.start += got;
        range.length -= got;
    }
}

/* The folder itself was synced: what was removed from it is removed for good. */
static void folder_synced(int fd) {
    const char *folder = getenv("VOLATILE_DATA"), *shadow = getenv("VOLATILE_SHADOW");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!folder || length < 0 || (size_t)length != strlen(folder) || strncmp(path, folder, length)) return;
    DIR *entries = opendir(shadow);
    if (!entries) fail(shadow);
    for (struct dirent *entry; (entry = readdir(entries));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && access(path, F_OK)) unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
}

/* What was written since the last sync reaches the shadow. Reads through fd: to open and close the file once more would
 * let go of the process's locks on it. */
static void synced(int fd) {
    pthread_mutex_lock(&lock);
    folder_synced(fd);
    struct file *file = watched(fd);
    const char *lies = getenv("VOLATILE_LIES");
    size_t name = file ? strlen(file->path) : 0, end = lies ? strlen(lies) : 0;
    int lie = file && lies && name >= end && !strcmp(file->path + name - end, lies);
    if (file && !lie) {
        char path[2 * PATH_MAX];
        snprintf(path, sizeof path, "%s%s", getenv("VOLATILE_SHADOW"), file->path + strlen(getenv("VOLATILE_DATA")));
        int to = open(path, O_WRONLY | O_CREAT, 0600);
        if (to < 0) fail(path);
        for (size_t i = 0; i < file->count; i++) {
            struct range range = file->dirty[i];
            if (range.length >= 0) copy(fd, to, range);
            else if (REAL(ftruncate)(to, range.start)) fail("shadow");
        }
        file->count = 0;
        close(to);
    }
    pthread_mutex_unlock(&lock);
}

static ssize_t written(int fd, off_t start, ssize_t length) {
    struct file *file = length > 0 ? watched(fd) : NULL;
    if (file) note(file, start, length);
    pthread_mutex_unlock(&lock);
    return length;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t start) {
    pthread_mutex_lock(&lock);
    return written(fd, start, REAL(pwrite)(fd, data, length, start));
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t start) {
    pthread_mutex_lock(&lock);
    return written(fd, start, REAL(pwrite64)(fd, data, length, start));
}

ssize_t write(int fd, const void *data, size_t length) {
    off_t start = lseek(fd, 0, SEEK_CUR);
    if (start < 0) return REAL(write)(fd, data, length); /* a pipe: no file of ours, and it may wait */
    pthread_mutex_lock(&lock);
    return written(fd, start, REAL(write)(fd, data, length));
}

static int cut(int fd, off_t length, int result) {
    struct file *file = result == 0 ? watched(fd) : NULL;
    if (file) note(file, length, -1);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t length) {
    pthread_mutex_lock(&lock);
    return cut(fd, length, REAL(ftruncate)(fd, length));
}

int ftruncate64(int fd, off64_t length) {
    pthread_mutex_lock(&lock);
    return cut(fd, length, REAL(ftruncate64)(fd, length));
}

int fsync(int fd) {
    int result = REAL(fsync)(fd);
    if (result == 0) synced(fd);
    return result;
}

int fdatasync(int fd) {
    int result = REAL(fdatasync)(fd);
    if (result == 0) synced(fd);
    return result;
}
