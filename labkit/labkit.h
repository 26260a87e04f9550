/* Names that belong to one notebook, for programs in C; the same as labkit.name(), key() and path().

       sem_open(LABKIT_NAME("counter"), O_CREAT, 0600, 1);
       shmget(LABKIT_KEY("counter"), 4096, IPC_CREAT | 0600);
       mkfifo(LABKIT_PATH("fifo"), 0600);

   In a cell it is there without being included. It includes nothing itself, so that your own
   feature macros (_GNU_SOURCE and so on) still come first. */
#ifndef LABKIT_H
#define LABKIT_H

#define LABKIT_NAME(word) labkit_join_("LABKIT_PREFIX", word)
#define LABKIT_KEY(word) labkit_key_(word)
#define LABKIT_PATH(word) labkit_join_("LABKIT_SCRATCH", word)

char *getenv(const char *);

/* Text that lasts as long as the program; the last sixteen are kept apart. */
__attribute__((unused)) static const char *labkit_join_(const char *variable, const char *word)
{
    static char kept[16][256];
    static unsigned next;
    char *text = kept[next++ % 16];
    const char *start = getenv(variable);
    unsigned n = 0;

    while (start && *start && n < 180)
        text[n++] = *start++;
    if (n && text[n - 1] != '-')
        text[n++] = '/';
    while (*word && n < 255)
        text[n++] = *word++;
    text[n] = 0;
    return text;
}

__attribute__((unused)) static int labkit_key_(const char *word)
{
    unsigned long long hash = 0xCBF29CE484222325ULL;
    const char *scope = getenv("LABKIT_SCOPE");
    const char *prefix = getenv("LABKIT_KEY_PREFIX");
    unsigned high = 0;

    for (; scope && *scope; scope++)
        hash = (hash ^ (unsigned char)*scope) * 0x100000001B3ULL;
    hash *= 0x100000001B3ULL; /* the zero between scope and word */
    for (; *word; word++)
        hash = (hash ^ (unsigned char)*word) * 0x100000001B3ULL;
    for (; prefix && *prefix; prefix++)
        high = high * 10 + (unsigned)(*prefix - '0');
    return (int)(high << 20 | ((hash ^ hash >> 32) & 0xFFFFF));
}

#endif
