// fails: lets all three eat, never two who share a fork, and holds no fork while it waits, in every order
// hears: took one fork and waited for the other
#include <sys/sem.h>

void take(int set, int left, int right) {
    struct sembuf one = {left < right ? left : right, -1, 0}, other = {left < right ? right : left, -1, 0};
    semop(set, &one, 1);
    semop(set, &other, 1);
}

void put_back(int set, int left, int right) {
    struct sembuf both[2] = {{left, +1, 0}, {right, +1, 0}};
    semop(set, both, 2);
}
