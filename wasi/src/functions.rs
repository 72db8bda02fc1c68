//! The list of WASI's functions: their names and parameters.
//!
//! One list, from which `link.rs` defines host functions and the tests draw
//! calls. A function `needs` a capability where all of its calls do; what
//! others need depends on their descriptors (`table.rs`). `proc_exit`, the one function without a result, and `sock_accept`,
//! which only preview 1 has, are not in it.

/// The WebAssembly type of a parameter.
macro_rules! wasm_type {
    (u64) => {
        u64
    };
    (i64) => {
        i64
    };
    ($other:ident) => {
        u32
    };
}

/// Calls the macro `$callback` with its arguments, a semicolon, and the
/// functions both previews have.
macro_rules! shared_functions {
    ($callback:ident, $($argument:tt)*) => {
        $callback! { $($argument)*;
            args_get(argv: GuestAddr, argv_buf: GuestAddr);
            args_sizes_get(argc: GuestAddr, size: GuestAddr);
            environ_get(environ: GuestAddr, buf: GuestAddr);
            environ_sizes_get(count: GuestAddr, size: GuestAddr);
            clock_res_get(id: u32, resolution: GuestAddr) needs Clock;
            clock_time_get(id: u32, precision: u64, time: GuestAddr) needs Clock;
            fd_advise(fd: Fd, offset: u64, len: u64, advice: u32);
            fd_allocate(fd: Fd, offset: u64, len: u64);
            fd_close(fd: Fd);
            fd_datasync(fd: Fd);
            fd_fdstat_get(fd: Fd, stat: GuestAddr);
            fd_fdstat_set_flags(fd: Fd, flags: u32);
            fd_fdstat_set_rights(fd: Fd, base: u64, inheriting: u64);
            fd_filestat_get(fd: Fd, stat: GuestAddr);
            fd_filestat_set_size(fd: Fd, size: u64);
            fd_filestat_set_times(fd: Fd, atim: u64, mtim: u64, flags: u32);
            fd_pread(fd: Fd, iovs: GuestAddr, iovs_len: u32, offset: u64, nread: GuestAddr);
            fd_prestat_get(fd: Fd, prestat: GuestAddr);
            fd_prestat_dir_name(fd: Fd, path: GuestAddr, path_len: u32);
            fd_pwrite(fd: Fd, iovs: GuestAddr, iovs_len: u32, offset: u64, nwritten: GuestAddr);
            fd_read(fd: Fd, iovs: GuestAddr, iovs_len: u32, nread: GuestAddr);
            fd_readdir(fd: Fd, buf: GuestAddr, buf_len: u32, cookie: u64, bufused: GuestAddr);
            fd_renumber(from: Fd, to: Fd);
            fd_seek(fd: Fd, offset: i64, whence: u32, newoffset: GuestAddr);
            fd_sync(fd: Fd);
            fd_tell(fd: Fd, offset: GuestAddr);
            fd_write(fd: Fd, iovs: GuestAddr, iovs_len: u32, nwritten: GuestAddr);
            path_create_directory(fd: Fd, path: GuestAddr, path_len: u32);
            path_filestat_get(fd: Fd, flags: u32, path: GuestAddr, path_len: u32, stat: GuestAddr);
            path_filestat_set_times(fd: Fd, flags: u32, path: GuestAddr, path_len: u32, atim: u64,
                mtim: u64, fst_flags: u32);
            path_link(old_fd: Fd, old_flags: u32, old_path: GuestAddr, old_path_len: u32, new_fd: Fd,
                new_path: GuestAddr, new_path_len: u32);
            path_open(fd: Fd, dirflags: u32, path: GuestAddr, path_len: u32, oflags: u32,
                rights_base: u64, rights_inheriting: u64, fdflags: u32, opened: GuestAddr);
            path_readlink(fd: Fd, path: GuestAddr, path_len: u32, buf: GuestAddr, buf_len: u32,
                bufused: GuestAddr);
            path_remove_directory(fd: Fd, path: GuestAddr, path_len: u32);
            path_rename(fd: Fd, old_path: GuestAddr, old_path_len: u32, new_fd: Fd,
                new_path: GuestAddr, new_path_len: u32);
            path_symlink(old_path: GuestAddr, old_path_len: u32, fd: Fd, new_path: GuestAddr,
                new_path_len: u32);
            path_unlink_file(fd: Fd, path: GuestAddr, path_len: u32);
            poll_oneoff(subscriptions: GuestAddr, events: GuestAddr, count: u32,
                happened: GuestAddr);
            proc_raise(signal: u32) needs Exit;
            sched_yield();
            random_get(buf: GuestAddr, buf_len: u32) needs Random;
            sock_recv(fd: Fd, data: GuestAddr, data_len: u32, flags: u32, received: GuestAddr,
                result_flags: GuestAddr) needs Network;
            sock_send(fd: Fd, data: GuestAddr, data_len: u32, flags: u32, sent: GuestAddr) needs Network;
            sock_shutdown(fd: Fd, how: u32) needs Network;
        }
    };
}

pub(crate) use {shared_functions, wasm_type};
