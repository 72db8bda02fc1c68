//! Inverts the frame in the region "frame", where it is.

const region = struct {
    extern "orca_region" fn open(name: [*]const u8, length: u32) i32;
    extern "orca_region" fn size(handle: i32) i64;
    extern "orca_region" fn map(handle: i32, offset: i64, length: i64, address: i64, access: i32) i64;
};

var pixels: []u8 = &.{};

export fn _initialize() void {
    const name = "frame";
    const handle = region.open(name, name.len);
    if (handle < 0) return;
    const size = region.size(handle);
    const address = region.map(handle, 0, size, -1, 1);
    if (address < 0) return;
    const first: [*]u8 = @ptrFromInt(@as(usize, @intCast(address)));
    pixels = first[0..@intCast(size)];
}

export fn apply() i32 {
    if (pixels.len == 0) return -1;
    for (pixels) |*pixel| pixel.* = 255 - pixel.*;
    return 0;
}
