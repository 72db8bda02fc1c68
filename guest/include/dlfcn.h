/* dlfcn.h: opening libraries while a program runs, as orcavm offers it.
 *
 * The functions of POSIX's <dlfcn.h>, those of glibc that go with them, and
 * dl_iterate_phdr of <link.h>. They are imports of the module `env`, which every
 * program that orcavm links has (docs/linking.md): nothing is to be linked for them.
 * Numbers and structures are musl's where it has them, else glibc's.
 */
#ifndef ORCA_DLFCN_H
#define ORCA_DLFCN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How to open: one of the first two, and any of the others. */
#define RTLD_LAZY 1        /* functions are looked for when they are first called */
#define RTLD_NOW 2         /* all at once; none may be missing */
#define RTLD_NOLOAD 4      /* only if it is loaded already */
#define RTLD_DEEPBIND 8    /* its own symbols come before the program's */
#define RTLD_LOCAL 0       /* others do not find its symbols */
#define RTLD_GLOBAL 0x100  /* they do */
#define RTLD_NODELETE 0x1000 /* it stays for good */
#ifndef RTLD_SANDBOX
/* It gets a memory, a table and permissions of its own. Its functions take and give
 * numbers. Its handle less ORCA_DL_CHILDREN is a child's handle for orca.h, which has
 * more ways to use it. */
#define RTLD_SANDBOX 0x10000
#endif
#define ORCA_DL_CHILDREN 0x40000000

/* Instead of a handle: where the caller's own symbols are looked for, and what of
 * that comes after the caller. */
#define RTLD_DEFAULT ((void *)0)
#define RTLD_NEXT ((void *)-1)

/* Namespaces: the program's, and a new one. */
typedef long Lmid_t;
#define LM_ID_BASE 0
#define LM_ID_NEWLM (-1)

/* What dladdr says. A function is a place in the table, data an address: where a
 * number could be both, it is taken for a function. */
typedef struct {
  const char *dli_fname; /* the library's name */
  void *dli_fbase;       /* where its data begins */
  const char *dli_sname; /* the symbol there, or the last before it; or null */
  void *dli_saddr;       /* the symbol's value */
} Dl_info;

/* A segment: each module has one, its data. */
typedef struct {
  uint32_t p_type; /* 1, PT_LOAD */
  uint32_t p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align;
} Elf32_Phdr;

/* What dl_iterate_phdr says of a module. */
struct dl_phdr_info {
  uintptr_t dlpi_addr;   /* where its data begins */
  const char *dlpi_name; /* its name; empty for the program */
  const Elf32_Phdr *dlpi_phdr;
  uint16_t dlpi_phnum;
  unsigned long long dlpi_adds, dlpi_subs; /* modules that were loaded, and unloaded */
  size_t dlpi_tls_modid;
  void *dlpi_tls_data;
};

/* A handle, or null. Null for a name is the program. */
void *dlopen(const char *name, int flags);
/* In a namespace: LM_ID_BASE, LM_ID_NEWLM, or one there is. */
void *dlmopen(Lmid_t space, const char *name, int flags);
/* A function or data; null if there is none. */
void *dlsym(void *handle, const char *name);
/* 0, or -1. */
int dlclose(void *handle);
/* What went wrong last, once; or null. */
char *dlerror(void);
/* 0 if nothing is there. */
int dladdr(const void *address, Dl_info *info);
/* Stops where the callback does not give 0, and gives that. */
int dl_iterate_phdr(int (*callback)(struct dl_phdr_info *info, size_t size, void *data), void *data);

#ifdef __cplusplus
}
#endif

#endif
