/* words: calls whose arguments and results are more than numbers, one after another. */
#define _GNU_SOURCE
#include "shared.h"
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

static char byte[64];

static void descriptors(void) {
    int ends[2], some = epoll_create1(0), number = eventfd(2, 0);
    struct epoll_event watched = {EPOLLIN | EPOLLET, {.u64 = 12345}};
    struct pollfd asked[] = {{number, POLLIN | POLLOUT, 0}, {99, POLLIN, 0}};
    pipe(ends);
    epoll_ctl(some, EPOLL_CTL_ADD, number, &watched);
    epoll_wait(some, &watched, 1, -1);
    epoll_ctl(some, EPOLL_CTL_DEL, number, &watched);
    poll(asked, 2, -1);
    poll(asked, 0, 1);
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    struct timeval second = {1, 0};
    select(ends[1] + 1, &in, &out, NULL, &second);
    read(number, byte, 8);
    *(long *)byte = 7;
    write(number, byte, 8);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    timerfd_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 1}}, NULL);
    read(timer, byte, 8);
    timerfd_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 0}}, NULL);
    int random = open("/dev/urandom", O_RDONLY);
    read(random, byte, 4);
    read(ends[0], byte, 0);
    struct flock lock = {F_WRLCK, SEEK_SET, 5, 10};
    fcntl(random, F_GETLK, &lock);
    close(-7);
    perror("close");
}

static void sockets(void) {
    int ends[2];
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends);
    send(ends[0], "hello", 5, MSG_NOSIGNAL);
    send(ends[0], "", 0, 0);
    recv(ends[1], byte, 2, MSG_TRUNC);
    recv(ends[1], byte, 9, 0);
    int yes = 1;
    socklen_t size = sizeof yes;
    setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &yes, size);
    getsockopt(ends[1], SOL_SOCKET, SO_ERROR, &yes, &size);
    send(ends[0], "who", 3, 0);
    char control[64];
    struct iovec place = {byte, 9};
    struct msghdr header = {.msg_iov = &place, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64};
    recvmsg(ends[1], &header, 0);
    struct sockaddr_un name = {AF_UNIX, "\0labkit-words"};
    bind(ends[0], (void *)&name, 3 + 12);
}

static void queues(void) {
    struct { long type; char text[8]; } letter = {3, "three"};
    int queue = msgget(IPC_PRIVATE, 0600);
    msgsnd(queue, &letter, 6, 0);
    msgrcv(queue, &letter, 6, 0, 0);
    msgctl(queue, IPC_RMID, NULL);
    mqd_t posix = mq_open("/labkit-words", O_CREAT | O_EXCL | O_RDWR, 0600, &(struct mq_attr){0, 2, 32});
    mq_notify(posix, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG});
    mq_send(posix, "first", 5, 9);
    mq_receive(posix, byte, 32, &(unsigned){0});
    mq_unlink("/labkit-words");
    int set = semget(IPC_PRIVATE, 3, 0600);
    unsigned short values[] = {1, 0, 2};
    semctl(set, 0, SETALL, values);
    semop(set, (struct sembuf[]){{0, -1, SEM_UNDO}, {1, 0, IPC_NOWAIT}}, 2);
    semctl(set, 0, GETALL, values);
    semctl(set, 0, IPC_RMID);
    sem_t *named = sem_open("/labkit-words", O_CREAT | O_EXCL, 0600, 4);
    sem_unlink("/labkit-words");
    sem_close(named);
}

static void *thread(void *unused) { return unused; }
static void handler(int number) { (void)number; }

static void processes(void) {
    pthread_t other;
    siginfo_t how;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    if (fork() == 0) raise(SIGKILL);
    waitid(P_ALL, 0, &how, WEXITED);
    waitid(P_ALL, 0, &how, WEXITED | __WALL);
    signal(SIGUSR1, handler);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 42});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    execvp("labkit-is-nowhere", (char *[]){"labkit-is-nowhere", NULL});
    char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_create("one page", 0), 0);
    usleep(1);
    memory[5000] = 1;
}

int main(void) {
    descriptors();
    sockets();
    queues();
    processes();
}
