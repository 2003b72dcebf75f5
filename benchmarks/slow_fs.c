/* A read-only pass-through file system that makes every call wait, and counts the calls by kind.
 *
 *     slow_fs SOURCE MOUNTPOINT COUNTS DELAY_US
 *
 * shows SOURCE at MOUNTPOINT until it is unmounted. COUNTS is a file that the program maps into
 * memory: one record a kind of call, 16 bytes of name and 8 bytes of count, so that a reader learns
 * the counts without a call to the file system that it measures. DELAY_US is in microseconds.
 *
 * What the kernel may keep resembles an NFS mount's defaults, which EFS uses: attributes of files
 * for 3 s (acregmin), of directories and of names that are missing for 30 s (acdirmin), pages for
 * as long as each open() finds size and time of modification as they were (close to open).
 * NFS knows no round trip for the flush at close(), nor for closing a directory: neither has this.
 */
#define FUSE_USE_VERSION 314
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { FILE_TIMEOUT_S = 3, DIRECTORY_TIMEOUT_S = 30 };
/* Requests for pages ahead of the reader that may be under way at once. */
enum { MAX_BACKGROUND = 64 };

enum kind { LOOKUP, GETATTR, READLINK, OPEN, READ, RELEASE, OPENDIR, READDIR, STATFS, KINDS };
static const char *const names[KINDS] = {"lookup",  "getattr", "readlink", "open",  "read",
                                         "release", "opendir", "readdir",  "statfs"};

struct record {
    char name[16];
    atomic_uint_fast64_t count;
};

/* Nodes are known by their path, and live as long as the mount: a measurement's, not a server's. */
struct node {
    const char *path;
    pthread_mutex_t lock;
    struct timespec mtime; /* as the last open() found it */
    off_t size;
};

static struct record *counts;
static struct timespec delay;
static struct node root;
static void *nodes;
static pthread_mutex_t nodes_lock = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* What every call costs, whatever it then finds. */
static void round_trip(enum kind kind) {
    atomic_fetch_add(&counts[kind].count, 1);
    /* Threads come and go; each sleeps as exactly as the machine can. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL);
}

static struct node *node_of(fuse_ino_t ino) {
    return ino == FUSE_ROOT_ID ? &root : (struct node *)ino;
}

static double timeout_s(const struct stat *status) {
    return S_ISDIR(status->st_mode) ? DIRECTORY_TIMEOUT_S : FILE_TIMEOUT_S;
}

static int by_path(const void *left, const void *right) {
    return strcmp(((const struct node *)left)->path, ((const struct node *)right)->path);
}

/* The node of this path, which it owns. */
static struct node *intern(char *path) {
    struct node *fresh = calloc(1, sizeof *fresh);
    if (!fresh) fail("calloc");
    fresh->path = path;
    pthread_mutex_init(&fresh->lock, NULL);
    pthread_mutex_lock(&nodes_lock);
    struct node **found = tsearch(fresh, &nodes, by_path);
    pthread_mutex_unlock(&nodes_lock);
    if (!found) fail("tsearch");
    if (*found != fresh) {
        free(path);
        free(fresh);
    }
    return *found;
}

static void slow_init(void *data, struct fuse_conn_info *connection) {
    (void)data;
    connection->max_background = MAX_BACKGROUND;
}

static void slow_lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
    struct fuse_entry_param entry = {0};
    char *path;
    round_trip(LOOKUP);
    if (asprintf(&path, "%s/%s", node_of(parent)->path, name) < 0) fail("asprintf");
    if (lstat(path, &entry.attr)) {
        int error = errno;
        free(path);
        if (error != ENOENT) {
            fuse_reply_err(request, error);
            return;
        }
        /* No inode: the kernel remembers that the name is missing. */
        entry.entry_timeout = DIRECTORY_TIMEOUT_S;
    } else {
        entry.ino = (fuse_ino_t)intern(path);
        entry.attr_timeout = entry.entry_timeout = timeout_s(&entry.attr);
    }
    fuse_reply_entry(request, &entry);
}

static void slow_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    struct stat status;
    (void)file;
    round_trip(GETATTR);
    if (lstat(node_of(ino)->path, &status))
        fuse_reply_err(request, errno);
    else
        fuse_reply_attr(request, &status, timeout_s(&status));
}

static void slow_readlink(fuse_req_t request, fuse_ino_t ino) {
    char target[4096];
    round_trip(READLINK);
    ssize_t length = readlink(node_of(ino)->path, target, sizeof target - 1);
    if (length < 0) {
        fuse_reply_err(request, errno);
    } else {
        target[length] = 0;
        fuse_reply_readlink(request, target);
    }
}

static void slow_open(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    struct node *node = node_of(ino);
    struct stat status;
    round_trip(OPEN);
    if ((file->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(request, EROFS);
        return;
    }
    int descriptor = open(node->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &status)) {
        fuse_reply_err(request, errno);
        return;
    }
    pthread_mutex_lock(&node->lock);
    file->keep_cache = node->size == status.st_size &&
                       node->mtime.tv_sec == status.st_mtim.tv_sec &&
                       node->mtime.tv_nsec == status.st_mtim.tv_nsec;
    node->size = status.st_size;
    node->mtime = status.st_mtim;
    pthread_mutex_unlock(&node->lock);
    file->fh = (uint64_t)descriptor;
    fuse_reply_open(request, file);
}

static void slow_read(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
                      struct fuse_file_info *file) {
    (void)ino;
    round_trip(READ);
    char *buffer = malloc(size);
    ssize_t length = buffer ? pread((int)file->fh, buffer, size, offset) : -1;
    if (length < 0)
        fuse_reply_err(request, errno);
    else
        fuse_reply_buf(request, buffer, (size_t)length);
    free(buffer);
}

static void slow_release(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    (void)ino;
    round_trip(RELEASE);
    close((int)file->fh);
    fuse_reply_err(request, 0);
}

/* A directory's entries as they were when it was opened. */
struct listing {
    char *entries;
    size_t size;
};

static void add_entry(fuse_req_t request, struct listing *listing, const struct dirent *entry) {
    struct stat status = {.st_ino = entry->d_ino, .st_mode = (mode_t)DTTOIF(entry->d_type)};
    size_t used = listing->size;
    listing->size += fuse_add_direntry(request, NULL, 0, entry->d_name, NULL, 0);
    listing->entries = realloc(listing->entries, listing->size);
    if (!listing->entries) fail("realloc");
    fuse_add_direntry(request, listing->entries + used, listing->size - used, entry->d_name,
                      &status, (off_t)listing->size);
}

static void slow_opendir(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    round_trip(OPENDIR);
    DIR *directory = opendir(node_of(ino)->path);
    if (!directory) {
        fuse_reply_err(request, errno);
        return;
    }
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing) fail("calloc");
    for (struct dirent *entry; (entry = readdir(directory));) add_entry(request, listing, entry);
    closedir(directory);
    file->fh = (uint64_t)listing;
    file->cache_readdir = file->keep_cache = 1;
    fuse_reply_open(request, file);
}

static void slow_readdir(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
                         struct fuse_file_info *file) {
    const struct listing *listing = (const struct listing *)file->fh;
    (void)ino;
    round_trip(READDIR);
    size_t rest = listing->size - (size_t)offset;
    fuse_reply_buf(request, listing->entries + offset, rest < size ? rest : size);
}

static void slow_releasedir(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    struct listing *listing = (struct listing *)file->fh;
    (void)ino;
    free(listing->entries);
    free(listing);
    fuse_reply_err(request, 0);
}

static void slow_statfs(fuse_req_t request, fuse_ino_t ino) {
    struct statvfs status;
    round_trip(STATFS);
    if (statvfs(node_of(ino)->path, &status))
        fuse_reply_err(request, errno);
    else
        fuse_reply_statfs(request, &status);
}

/* Calls that are not here (flush, getxattr) are answered once by "not implemented", and then the
 * kernel makes them no more. */
static const struct fuse_lowlevel_ops operations = {
    .init = slow_init,       .lookup = slow_lookup,         .getattr = slow_getattr,
    .readlink = slow_readlink, .open = slow_open,           .read = slow_read,
    .release = slow_release, .opendir = slow_opendir,       .readdir = slow_readdir,
    .releasedir = slow_releasedir, .statfs = slow_statfs,
};

static void map_counts(const char *path) {
    size_t size = KINDS * sizeof *counts;
    int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0 || ftruncate(descriptor, (off_t)size)) fail(path);
    counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (counts == MAP_FAILED) fail(path);
    close(descriptor);
    for (int kind = 0; kind < KINDS; kind++)
        strncpy(counts[kind].name, names[kind], sizeof counts[kind].name - 1);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: %s SOURCE MOUNTPOINT COUNTS DELAY_US\n", argv[0]);
        return 2;
    }
    long delay_us = strtol(argv[4], NULL, 10);
    delay = (struct timespec){delay_us / 1000000, delay_us % 1000000 * 1000};
    root.path = argv[1];
    pthread_mutex_init(&root.lock, NULL);
    map_counts(argv[3]);

    struct fuse_args options = FUSE_ARGS_INIT(0, NULL);
    fuse_opt_add_arg(&options, argv[0]);
    fuse_opt_add_arg(&options, "-oro,default_permissions,fsname=slow_fs");
    struct fuse_session *session = fuse_session_new(&options, &operations, sizeof operations, NULL);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!session || !config || fuse_set_signal_handlers(session) ||
        fuse_session_mount(session, argv[2]))
        return 1;
    fuse_loop_cfg_set_max_threads(config, 2 * MAX_BACKGROUND);
    fuse_loop_cfg_set_idle_threads(config, MAX_BACKGROUND);
    int error = fuse_session_loop_mt(session, config);
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    fuse_session_destroy(session);
    fuse_opt_free_args(&options);
    return error ? 1 : 0;
}
