// Threads by pthreads: each first argument is something to try.

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static pthread_t start(void *(*run)(void *), intptr_t argument) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run, (void *)argument);
  if (error != 0) {
    printf("pthread_create: %s\n", strerror(error));
    exit(1);
  }
  return thread;
}

static intptr_t join(pthread_t thread) {
  void *result;
  pthread_join(thread, &result);
  return (intptr_t)result;
}

static int counter;
static atomic_int atomic_counter;

static void *count(void *argument) {
  for (int i = 0; i < 5000; i++) {
    pthread_mutex_lock(&lock);
    counter++;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&atomic_counter, 2);
  }
  return argument;
}

static int try_mutex(void) {
  pthread_t threads[THREADS];
  intptr_t sum = 0;
  for (int i = 0; i < THREADS; i++) threads[i] = start(count, i);
  for (int i = 0; i < THREADS; i++) sum += join(threads[i]);
  printf("%d %d %d\n", counter, atomic_counter, (int)sum);
  return 0;
}

static int turn;

static void *play(void *argument) {
  intptr_t own = (intptr_t)argument;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < 500; i++) {
    while (turn % 2 != own) pthread_cond_wait(&changed, &lock);
    turn++;
    pthread_cond_signal(&changed);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

static int try_turns(void) {
  pthread_t ping = start(play, 0), pong = start(play, 1);
  join(ping);
  join(pong);
  printf("%d turns\n", turn);
  return 0;
}

static _Thread_local int own = 7;
static pthread_key_t key;

static void *keep(void *argument) {
  int number = (int)(intptr_t)argument;
  pthread_setspecific(key, argument);
  own += number;
  for (int i = 0; i < 100; i++) sched_yield();
  return (void *)(intptr_t)(own * 100 + (int)(intptr_t)pthread_getspecific(key));
}

static int try_tls(void) {
  pthread_t threads[THREADS];
  pthread_key_create(&key, NULL);
  for (int i = 0; i < THREADS; i++) threads[i] = start(keep, i + 1);
  for (int i = 0; i < THREADS; i++) printf("%d ", (int)join(threads[i]));
  printf("%d\n", own);
  return 0;
}

static void *use_memory(void *argument) {
  unsigned char fill = (unsigned char)(intptr_t)argument + 1;
  for (int round = 0; round < 20; round++) {
    size_t size = 100000 + 10000 * (size_t)round;
    unsigned char *bytes = malloc(size);
    if (bytes == NULL) return (void *)1;
    memset(bytes, fill, size);
    sched_yield();
    for (size_t i = 0; i < size; i++)
      if (bytes[i] != fill) return (void *)1;
    if (round % 2) free(bytes);
  }
  return NULL;
}

static int try_memory(void) {
  pthread_t threads[THREADS];
  intptr_t wrong = 0;
  for (int i = 0; i < THREADS; i++) threads[i] = start(use_memory, i);
  for (int i = 0; i < THREADS; i++) wrong += join(threads[i]);
  printf("%d wrong\n", (int)wrong);
  return 0;
}

static void *print(void *argument) {
  for (int i = 0; i < 50; i++) printf("line %d of %d\n", i, (int)(intptr_t)argument);
  return NULL;
}

static int try_output(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) threads[i] = start(print, i);
  for (int i = 0; i < THREADS; i++) join(threads[i]);
  return 0;
}

static void *write_file(void *argument) {
  FILE *file = fopen(argument, "w");
  if (file == NULL) return (void *)(intptr_t)errno;
  fputs("written by another thread\n", file);
  return file;
}

// What one thread opens another can use.
static int try_files(const char *path) {
  FILE *file = (FILE *)join(start(write_file, (intptr_t)path));
  fputs("and by the first\n", file);
  fclose(file);
  char line[80];
  file = fopen(path, "r");
  while (fgets(line, sizeof line, file)) fputs(line, stdout);
  fclose(file);
  return 0;
}

static void *wait_forever(void *argument) {
  pthread_mutex_lock(&lock);
  for (;;) pthread_cond_wait(&changed, &lock);
  return argument;
}

static void *spin(void *argument) {
  for (;;) atomic_fetch_add(&atomic_counter, 1);
  return argument;
}

static void *sleep_long(void *argument) {
  sleep(1000);
  return argument;
}

static void *read_input(void *argument) {
  char byte;
  if (read(0, &byte, 1) == 1) puts("there is input");
  return argument;
}

static void *exit_soon(void *argument) {
  usleep(20000);
  puts("a thread exits");
  exit((int)(intptr_t)argument);
}

static void *trap_soon(void *argument) {
  usleep(20000);
  puts("a thread traps");
  fflush(stdout);
  __builtin_trap();
  return argument;
}

// Others that do not end by themselves.
static void start_others(void) {
  start(wait_forever, 0);
  start(spin, 0);
  start(sleep_long, 0);
}

static int try_many(int most) {
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 4096);
  int started = 0;
  pthread_t thread;
  int error;
  while ((error = pthread_create(&thread, &small, wait_forever, NULL)) == 0 && started < most) started++;
  printf("%d threads, then: %s\n", started, strerror(error));
  return 0;
}

static void *nothing(void *argument) { return argument; }

static int try_in_turn(void) {
  intptr_t sum = 0;
  for (int i = 0; i < 300; i++) sum += join(start(nothing, i));
  printf("%d\n", (int)sum);
  return 0;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "mutex") == 0) return try_mutex();
  if (strcmp(what, "turns") == 0) return try_turns();
  if (strcmp(what, "tls") == 0) return try_tls();
  if (strcmp(what, "memory") == 0) return try_memory();
  if (strcmp(what, "output") == 0) return try_output();
  if (strcmp(what, "files") == 0) return try_files(argv[2]);
  if (strcmp(what, "many") == 0) return try_many(100);
  if (strcmp(what, "in-turn") == 0) return try_in_turn();
  if (strcmp(what, "return") == 0) {
    start_others();
    usleep(20000);
    return 5;
  }
  if (strcmp(what, "exit") == 0) {
    start_others();
    start(exit_soon, 3);
    wait_forever(NULL);
  }
  if (strcmp(what, "exit-reading") == 0) {
    start(exit_soon, 4);
    read_input(NULL);
    wait_forever(NULL);
  }
  if (strcmp(what, "trap") == 0) {
    start_others();
    start(trap_soon, 0);
    sleep_long(NULL);
  }
  if (strcmp(what, "wait") == 0) {
    start_others();
    wait_forever(NULL);
  }
  return 2;
}
