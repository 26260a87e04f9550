/* table [fcntl]: two threads have one descriptor table: one of them makes two descriptors in a row, the other
   one, by dup; or by fcntl, and then waits for a byte from the first. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int made[3], ends[2], by_fcntl;

static void *two(void *nothing) {
    made[0] = dup(0);
    made[1] = dup(0);
    if (by_fcntl) write(ends[1], "", 1);
    return nothing;
}

static void *one(void *nothing) {
    char byte;
    made[2] = by_fcntl ? fcntl(0, F_DUPFD, 0) : dup(0);
    if (by_fcntl) read(ends[0], &byte, 1);
    return nothing;
}

int main(int argc, char **argv) {
    pthread_t a, b;
    by_fcntl = argc > 1;
    pipe(ends);
    pthread_create(&a, NULL, two, NULL);
    pthread_create(&b, NULL, one, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    printf("%d %d %d\n", made[0] - 5, made[1] - 5, made[2] - 5);
    return 0;
}
