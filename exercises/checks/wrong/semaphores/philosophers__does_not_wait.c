// fails: lets all three eat, never two who share a fork, and holds no fork while it waits, in every order
// hears: at the same time
#include <sys/sem.h>

void take(int set, int left, int right) {
    struct sembuf both[2] = {{left, -1, IPC_NOWAIT}, {right, -1, IPC_NOWAIT}};
    semop(set, both, 2);
}

void put_back(int set, int left, int right) {
    struct sembuf both[2] = {{left, +1, 0}, {right, +1, 0}};
    semop(set, both, 2);
}
