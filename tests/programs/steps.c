/* steps SCRIPT…: a child for each script; what each saw is its exit status.

   A step is a letter and a digit, the number of a thing that all share:
     P V   take from, give to a semaphore (System V); U: take with SEM_UNDO; T: try to take
     N     how many wait to take; Z: wait for zero; R: remove the set
     w r   write to, read from a pipe; W, E: close its write end, its read end
     s k   send to, receive from one of two joined sockets; S: close the end that sends
     m g   send, receive a message (System V)
     a q   attach a segment; ask how many have
     f l u open a file of its own; lock it; unlock it; t: try to lock it
     L F   lock, unlock a byte of a file (a record lock)
     y     sched_yield (the digit says nothing) */
#include <errno.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include "shared.h"

enum { THINGS = 2 };
static int sets[THINGS], pipes[THINGS][2], joined[THINGS][2], queues[THINGS], segments[THINGS], file = -1, record;
static unsigned seen = 1;

static int operate(int set, int change, int flags) {
    struct sembuf one = {0, change, flags};
    return semop(sets[set], &one, 1) ? errno : 0;
}

static int lock(int type, int byte) {
    struct flock one = {type, SEEK_SET, byte, 1};
    return fcntl(record, F_SETLKW, &one) ? errno : 0;
}

static void saw(int what) { seen = (seen * 31 + what + 7) % 251; }

static int received(int fd) {
    char byte = 0;
    int n = read(fd, &byte, 1);
    return n > 0 ? byte : n == 0 ? 1 : errno;
}

static int sent(int fd, char byte) { return write(fd, &byte, 1) == 1 ? 0 : errno; }

static void step(char what, int n, char me) {
    struct { long type; char text[1]; } message = {1, {me}};
    struct shmid_ds about;
    switch (what) {
    case 'P': saw(operate(n, -1, 0)); break;
    case 'V': saw(operate(n, +1, 0)); break;
    case 'U': saw(operate(n, -1, SEM_UNDO)); break;
    case 'T': saw(operate(n, -1, IPC_NOWAIT)); break;
    case 'Z': saw(operate(n, 0, 0)); break;
    case 'N': saw(semctl(sets[n], 0, GETNCNT)); break;
    case 'R': saw(semctl(sets[n], 0, IPC_RMID) ? errno : 0); break;
    case 'w': saw(sent(pipes[n][1], me)); break;
    case 'r': saw(received(pipes[n][0])); break;
    case 'W': close(pipes[n][1]); break;
    case 'E': close(pipes[n][0]); break;
    case 's': saw(sent(joined[n][0], me)); break;
    case 'k': saw(received(joined[n][1])); break;
    case 'S': close(joined[n][0]); break;
    case 'm': saw(msgsnd(queues[n], &message, 1, 0)); break;
    case 'g': saw(msgrcv(queues[n], &message, 1, 0, 0) == 1 ? message.text[0] : errno); break;
    case 'a': saw(shmat(segments[n], NULL, 0) == (void *)-1); break;
    case 'q': saw(shmctl(segments[n], IPC_STAT, &about) ? errno : (int)about.shm_nattch); break;
    case 'f': file = open("/proc/self/exe", O_RDONLY); break;
    case 'l': saw(flock(file, LOCK_EX)); break;
    case 't': saw(flock(file, LOCK_EX | LOCK_NB)); break;
    case 'u': saw(flock(file, LOCK_UN)); break;
    case 'L': saw(lock(F_WRLCK, n)); break;
    case 'F': saw(lock(F_UNLCK, n)); break;
    case 'y': sched_yield(); break;
    }
}

/* Does any script use the nth thing by one of these letters? */
static int used(char **scripts, const char *letters, int n) {
    for (; *scripts; scripts++)
        for (char *at = *scripts; at[0] && at[1]; at += 2)
            if (at[1] - '0' == n && strchr(letters, at[0])) return 1;
    return 0;
}

int main(int argc, char **argv) {
    int has_pipe[THINGS], has_sockets[THINGS];
    signal(SIGPIPE, SIG_IGN);
    record = memfd_create("record", 0);
    for (int n = 0; n < THINGS; n++) {
        sets[n] = semget(IPC_PRIVATE, 1, 0600);
        if (n == 0) semctl(sets[n], 0, SETVAL, 1);
        if ((has_pipe[n] = used(argv + 1, "wrWE", n))) pipe(pipes[n]);
        if ((has_sockets[n] = used(argv + 1, "skS", n)))
            socketpair(AF_UNIX, n ? SOCK_SEQPACKET : SOCK_STREAM, 0, joined[n]);
        queues[n] = msgget(IPC_PRIVATE, 0600);
        segments[n] = shmget(IPC_PRIVATE, 1, 0600);
    }
    int children[8];
    for (int c = 1; c < argc; c++)
        if ((children[c] = fork()) == 0) {
            for (char *at = argv[c]; at[0] && at[1]; at += 2) step(at[0], at[1] - '0', 'a' + c);
            _exit(seen);
        }
    for (int n = 0; n < THINGS; n++) {
        if (has_pipe[n]) close(pipes[n][1]);
        if (has_sockets[n]) close(joined[n][0]);
    }
    for (int c = 1; c < argc; c++) {
        int status;
        waitpid(children[c], &status, 0);
        printf("%d ", WEXITSTATUS(status));
    }
    for (int n = 0; n < THINGS; n++) {
        semctl(sets[n], 0, IPC_RMID);
        msgctl(queues[n], IPC_RMID, NULL);
        shmctl(segments[n], IPC_RMID, NULL);
    }
    printf("\n");
    return 0;
}
