// What the cases use of dlfcn.h, with musl's numbers.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTLD_LAZY 1
#define RTLD_NOW 2
#define RTLD_NOLOAD 4
#define RTLD_DEEPBIND 8
#define RTLD_GLOBAL 0x100
#define RTLD_LOCAL 0
#define RTLD_NODELETE 0x1000
#define RTLD_DEFAULT ((void *)0)
#define RTLD_NEXT ((void *)-1)
#define LM_ID_BASE 0
#define LM_ID_NEWLM (-1)

typedef struct {
  const char *dli_fname;
  void *dli_fbase;
  const char *dli_sname;
  void *dli_saddr;
} Dl_info;

struct dl_phdr_info {
  uintptr_t dlpi_addr;
  const char *dlpi_name;
  const void *dlpi_phdr;
  uint16_t dlpi_phnum;
  unsigned long long dlpi_adds, dlpi_subs;
  size_t dlpi_tls_modid;
  void *dlpi_tls_data;
};

void *dlopen(const char *, int);
void *dlmopen(long, const char *, int);
void *dlsym(void *, const char *);
int dlclose(void *);
char *dlerror(void);
int dladdr(const void *, Dl_info *);
int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *);

#ifdef __cplusplus
}
#endif
