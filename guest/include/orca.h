/* What guests of orcavm import to share pages and to run other modules.
 *
 * Every function that can fail gives a negative number then, and nothing has
 * changed: an error number of WASI, negated (-ORCA_EINVAL and so on), or
 * ORCA_TRAPPED or ORCA_EXITED where a child ended. orca_error() says what went
 * wrong in words. docs/regions.md and docs/permissions.md explain the rest.
 *
 * The module must export its memory as "memory", as those of all toolchains do.
 */
#ifndef ORCA_H
#define ORCA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The length of a text, without a C library. */
static inline uint32_t orca_length(const char *text) {
  uint32_t length = 0;
  while (text[length]) length++;
  return length;
}

#define ORCA_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

/* Error numbers, as in <wasi/api.h>. */
enum {
  ORCA_EACCES = 2,       /* the region may only be read */
  ORCA_EBADF = 8,        /* no such handle */
  ORCA_EBUSY = 10,       /* the child is running */
  ORCA_EEXIST = 20,      /* something is mapped there */
  ORCA_EFAULT = 21,      /* bytes outside a memory */
  ORCA_EINVAL = 28,      /* a number that cannot be */
  ORCA_EMLINK = 34,      /* too many children of children */
  ORCA_ENFILE = 41,      /* too many handles, modules or regions */
  ORCA_ENOENT = 44,      /* no such file, region or function */
  ORCA_ENOEXEC = 45,     /* not a module that can be run */
  ORCA_ENOLINK = 47,     /* an import that nobody provides */
  ORCA_ENOMEM = 48,      /* no memory, or more than a quota allows */
  ORCA_ENOTSUP = 58,     /* not possible with this memory, type or engine */
  ORCA_EPERM = 63,       /* outside the directories, or not the guest's own */
  ORCA_ENOTCAPABLE = 76, /* a permission is missing */
  ORCA_TRAPPED = -1000,  /* the child trapped */
  ORCA_EXITED = -1001    /* the child exited; see orca_exit_code */
};

/* ---- Regions: pages that several memories share ----------------------------- */

/* A handle. */
typedef int32_t orca_region;

enum { ORCA_READ = 0, ORCA_READ_WRITE = 1 };

/* Any address, for orca_region_map. */
#define ORCA_ANYWHERE ((int64_t)-1)

/* Bytes of a page, of which all sizes, offsets and addresses are multiples. */
ORCA_IMPORT("orca_region", "page_size") uint32_t orca_page_size(void);
/* Makes a region of zeros. */
ORCA_IMPORT("orca_region", "create") orca_region orca_region_create(int64_t size);
/* Opens a region that was shared with this module by this name. */
ORCA_IMPORT("orca_region", "open") orca_region orca_region_open_n(const char *name, uint32_t length);
/* Gives up a handle; what is mapped stays. */
ORCA_IMPORT("orca_region", "close") int32_t orca_region_close(orca_region region);
/* Bytes of a region. */
ORCA_IMPORT("orca_region", "size") int64_t orca_region_size(orca_region region);
/* ORCA_READ or ORCA_READ_WRITE: what the handle allows. */
ORCA_IMPORT("orca_region", "access") int32_t orca_region_access(orca_region region);
/* Maps bytes of a region at an address of this module's memory; the address.
 * ORCA_ANYWHERE is where others have it, if that is free here. */
ORCA_IMPORT("orca_region", "map")
int64_t orca_region_map(orca_region region, int64_t offset, int64_t length, int64_t address, int32_t access);
/* Ends what is mapped: zeros inside the memory's size, nothing above. */
ORCA_IMPORT("orca_region", "unmap") int32_t orca_region_unmap(int64_t address, int64_t length);
/* Changes what may be done with what is mapped. */
ORCA_IMPORT("orca_region", "protect") int32_t orca_region_protect(int64_t address, int64_t length, int32_t access);

static inline orca_region orca_region_open(const char *name) {
  return orca_region_open_n(name, orca_length(name));
}

/* Opens a region by name and maps all of it; null if that cannot be. */
static inline void *orca_region_attach(const char *name, int32_t access) {
  orca_region region = orca_region_open(name);
  if (region < 0) return 0;
  int64_t address = orca_region_map(region, 0, orca_region_size(region), ORCA_ANYWHERE, access);
  orca_region_close(region);
  return address < 0 ? 0 : (void *)(uintptr_t)address;
}

/* ---- Modules: running others as children ------------------------------------ */

/* Handles. */
typedef int32_t orca_module;
typedef int32_t orca_child;
typedef int32_t orca_function;

/* A parameter or a result. */
typedef union {
  int32_t i32;
  int64_t i64;
  float f32;
  double f64;
} orca_value;

/* Loads a module from bytes; needs the permission `load`. */
ORCA_IMPORT("orca_module", "load") orca_module orca_load(const void *bytes, uint32_t length);
/* Loads a module from a file that this module may read. */
ORCA_IMPORT("orca_module", "load_path") orca_module orca_load_path_n(const char *path, uint32_t length);
/* Gives up a handle; children that run the module go on. */
ORCA_IMPORT("orca_module", "unload") int32_t orca_unload(orca_module module);
/* Makes a child, not started, that may do what the text says, of what this module
 * may: "stdout,dir=/data:ro,memory=16MiB", "inherit,-clock", "" for nothing. */
ORCA_IMPORT("orca_module", "create")
orca_child orca_create_n(orca_module module, const char *permissions, uint32_t length);
/* Lets a child open a region by a name. */
ORCA_IMPORT("orca_module", "share")
int32_t orca_share_n(orca_child child, orca_region region, const char *name, uint32_t length, int32_t access);
/* Lets a child that is not started import a function of this module, given by its
 * place in the table (link with --export-table). It may do what its caller may, or
 * as a gate what this module may. */
ORCA_IMPORT("orca_module", "offer")
int32_t orca_offer_n(orca_child child, const char *module, uint32_t module_length, const char *name,
                     uint32_t name_length, uint32_t function, int32_t gate);
/* Makes the child's instance, and calls its _initialize. */
ORCA_IMPORT("orca_module", "start") int32_t orca_start(orca_child child);
/* Finds a function that a child exports. */
ORCA_IMPORT("orca_module", "find") orca_function orca_find_n(orca_child child, const char *name, uint32_t length);
/* What a function takes and gives, as "iI:f": i32, i64, f32 (f), f64 (F); the length. */
ORCA_IMPORT("orca_module", "signature")
int32_t orca_signature(orca_child child, orca_function function, char *text, uint32_t room);
/* Calls a function of a child. */
ORCA_IMPORT("orca_module", "call")
int32_t orca_call(orca_child child, orca_function function, const orca_value *arguments, orca_value *results);
/* What a function of a child takes and gives, where that is more than numbers: see
 * "Function pointers" below. orca_call passes them then. */
ORCA_IMPORT("orca_module", "declare")
int32_t orca_declare_n(orca_child child, orca_function function, const char *signature, uint32_t length);
/* The code that a child exited with. */
ORCA_IMPORT("orca_module", "exit_code") int32_t orca_exit_code(orca_child child);
/* Copies bytes out of a child's memory. */
ORCA_IMPORT("orca_module", "read")
int32_t orca_read(orca_child child, uint32_t from, void *to, uint32_t length);
/* Copies bytes into a child's memory. */
ORCA_IMPORT("orca_module", "write")
int32_t orca_write(orca_child child, uint32_t to, const void *from, uint32_t length);
/* What a child may do, and what this module may, as text; the length. */
ORCA_IMPORT("orca_module", "permissions") int32_t orca_permissions(orca_child child, char *text, uint32_t room);
ORCA_IMPORT("orca_module", "own_permissions") int32_t orca_own_permissions(char *text, uint32_t room);
/* Gives permissions up for good: "net,load". */
ORCA_IMPORT("orca_module", "give_up") int32_t orca_give_up_n(const char *permissions, uint32_t length);
/* Ends a child: its memory, mappings and handles are given back. */
ORCA_IMPORT("orca_module", "drop") int32_t orca_drop(orca_child child);
/* What went wrong last, as text without an ending zero; its length. */
ORCA_IMPORT("orca_module", "error") int32_t orca_error_n(char *text, uint32_t room);

static inline orca_module orca_load_path(const char *path) {
  return orca_load_path_n(path, orca_length(path));
}

static inline orca_child orca_create(orca_module module, const char *permissions) {
  return orca_create_n(module, permissions, orca_length(permissions));
}

static inline int32_t orca_share(orca_child child, orca_region region, const char *name, int32_t access) {
  return orca_share_n(child, region, name, orca_length(name), access);
}

static inline int32_t orca_declare(orca_child child, orca_function function, const char *signature) {
  return orca_declare_n(child, function, signature, orca_length(signature));
}

/* `function` is any function pointer; only numbers can be passed to it. */
#define orca_offer(child, module, name, function, gate)                                                        \
  orca_offer_n(child, module, orca_length(module), name, orca_length(name),                          \
               (uint32_t)(uintptr_t)(function), gate)

static inline orca_function orca_find(orca_child child, const char *name) {
  return orca_find_n(child, name, orca_length(name));
}

static inline int32_t orca_give_up(const char *permissions) {
  return orca_give_up_n(permissions, orca_length(permissions));
}

/* ---- Function pointers --------------------------------------------------------
 *
 * A function pointer is a place in a module's own table. One that is passed to a
 * module with another table becomes a place there, whose function calls back; passed
 * back, it is again what it was. For that it must be said which numbers are pointers:
 * by a signature, which has a letter for each parameter, a colon, and one for each
 * result.
 *
 *   i I f F     a number: i32, i64, f32, f64
 *   &           an address in a region that both have mapped; 0 stays 0
 *   &16 &#      the same, of 16 bytes; of as many as the `i` after it says
 *   *(ii:i)     a pointer to a function with that signature; 0 stays 0
 *   ?           at the beginning: if the function is a child's and fails, it gives
 *               zeros; so "?ii:i", or "*(?ii:i):"
 *
 * So "&#ii*(&4&4:i):" is that of a qsort. A function of a child's that fails ends who
 * calls it by a pointer, as a function of its own would: so say `?` where the child is
 * not trusted. orca_call gives a number instead.
 *
 * Modules that pass function pointers are linked with --export-table
 * --growable-table. */

/* As orca_offer, for a function with a signature. */
ORCA_IMPORT("orca_module", "offer_as")
int32_t orca_offer_as_n(orca_child child, const char *module, uint32_t module_length, const char *name,
                        uint32_t name_length, uint32_t function, int32_t gate, const char *signature,
                        uint32_t length);
/* A pointer, in this module, to a function that a child exports. */
ORCA_IMPORT("orca_module", "symbol")
int32_t orca_symbol_n(orca_child child, const char *name, uint32_t name_length, const char *signature,
                      uint32_t length);
/* A pointer, in a child, to a function of this module. */
ORCA_IMPORT("orca_module", "pass")
int32_t orca_pass_n(orca_child child, uint32_t function, const char *signature, uint32_t length);
/* A pointer, in this module, to what is a function pointer in a child. */
ORCA_IMPORT("orca_module", "take")
int32_t orca_take_n(orca_child child, uint32_t function, const char *signature, uint32_t length);
/* Ends a pointer that was passed to a child: who calls it fails. */
ORCA_IMPORT("orca_module", "withdraw") int32_t orca_withdraw(orca_child child, uint32_t function);
/* Ends a pointer to a function of a child's. orca_drop ends all that it has. */
ORCA_IMPORT("orca_module", "release") int32_t orca_release_n(uint32_t function);

#define orca_offer_as(child, module, name, function, gate, signature)                              \
  orca_offer_as_n(child, module, orca_length(module), name, orca_length(name),                     \
                  (uint32_t)(uintptr_t)(function), gate, signature, orca_length(signature))

/* Null if there is none: orca_error() says why. Cast it to the function's type. */
static inline void *orca_symbol(orca_child child, const char *name, const char *signature) {
  int32_t place = orca_symbol_n(child, name, orca_length(name), signature, orca_length(signature));
  return place < 0 ? 0 : (void *)(uintptr_t)place;
}

/* Negative if it cannot be passed. */
#define orca_pass(child, function, signature)                                                      \
  orca_pass_n(child, (uint32_t)(uintptr_t)(function), signature, orca_length(signature))

static inline void *orca_take(orca_child child, uint32_t function, const char *signature) {
  int32_t place = orca_take_n(child, function, signature, orca_length(signature));
  return place < 0 ? 0 : (void *)(uintptr_t)place;
}

#define orca_release(function) orca_release_n((uint32_t)(uintptr_t)(function))

/* For dlopen: the module gets a memory, a table and permissions of its own, as a
 * child has. */
#ifndef RTLD_SANDBOX
#define RTLD_SANDBOX 0x10000
#endif

/* ---- Memories of others ------------------------------------------------------
 *
 * The address is one of the other module's. A child's handle stands for its memory, at
 * any time; ORCA_PARENT for what the parent has lent. A load or a store that cannot be
 * done traps, as one in a module's own memory; the others give a negative number. */

#define ORCA_PARENT ((orca_child)-1)

ORCA_IMPORT("orca_access", "load8") uint32_t orca_load8(orca_child of, uint32_t address);
ORCA_IMPORT("orca_access", "load16") uint32_t orca_load16(orca_child of, uint32_t address);
ORCA_IMPORT("orca_access", "load32") uint32_t orca_load32(orca_child of, uint32_t address);
ORCA_IMPORT("orca_access", "load64") uint64_t orca_load64(orca_child of, uint32_t address);
ORCA_IMPORT("orca_access", "store8") void orca_store8(orca_child of, uint32_t address, uint32_t value);
ORCA_IMPORT("orca_access", "store16") void orca_store16(orca_child of, uint32_t address, uint32_t value);
ORCA_IMPORT("orca_access", "store32") void orca_store32(orca_child of, uint32_t address, uint32_t value);
ORCA_IMPORT("orca_access", "store64") void orca_store64(orca_child of, uint32_t address, uint64_t value);
/* Copies bytes out of another memory, into it, or sets them: all or none. */
ORCA_IMPORT("orca_access", "copy_from")
int32_t orca_copy_from(orca_child of, uint32_t from, void *to, uint32_t length);
ORCA_IMPORT("orca_access", "copy_to")
int32_t orca_copy_to(orca_child of, uint32_t to, const void *from, uint32_t length);
ORCA_IMPORT("orca_access", "fill") int32_t orca_fill(orca_child of, uint32_t address, int32_t byte, uint32_t length);
/* Bytes that may be read from an address on. */
ORCA_IMPORT("orca_access", "size") int64_t orca_size(orca_child of, uint32_t address);
/* Bytes before a zero, of so many at most. */
ORCA_IMPORT("orca_access", "length") int32_t orca_text_length(orca_child of, uint32_t address, uint32_t most);

/* Lets a child access bytes of this module's memory, until they are reclaimed or lent
 * again from the same address on. */
ORCA_IMPORT("orca_module", "lend")
int32_t orca_lend(orca_child child, const void *address, uint32_t length, int32_t access);
ORCA_IMPORT("orca_module", "reclaim") int32_t orca_reclaim(orca_child child, const void *address);

/* What went wrong last, in a buffer that the next call uses again. */
static inline const char *orca_error(void) {
  static char text[1024];
  int32_t length = orca_error_n(text, sizeof text - 1);
  if (length < 0) length = 0;
  text[(uint32_t)length < sizeof text ? (uint32_t)length : sizeof text - 1] = 0;
  return text;
}

#ifdef __cplusplus
}
#endif
#endif
