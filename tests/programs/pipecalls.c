/* pipecalls N: N writes into a pipe and N reads out of it. */
#include "shared.h"

int main(int argc, char **argv) {
    int ends[2], many = atoi(argv[1]);
    char byte = 'x';
    if (pipe(ends) < 0) return 1;
    for (int i = 0; i < many; i++)
        if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) return 1;
    return 0;
}
