#ifndef LABKIT_H
#define LABKIT_H
#endif
