/* Two threads have one descriptor table: one of them makes two descriptors in a row, the other one. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int made[3];

static void *two(void *nothing) {
    made[0] = dup(0);
    made[1] = dup(0);
    return nothing;
}

static void *one(void *nothing) {
    made[2] = dup(0);
    return nothing;
}

int main(void) {
    pthread_t a, b;
    pthread_create(&a, NULL, two, NULL);
    pthread_create(&b, NULL, one, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    printf("%d %d %d\n", made[0] - 3, made[1] - 3, made[2] - 3);
    return 0;
}
