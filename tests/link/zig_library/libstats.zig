const Summary = extern struct { least: c_int, most: c_int, sum: c_longlong };

extern fn each_value(value: c_int) c_int;

export var zig_calls: c_uint = 0;
export const zig_name: [*:0]const u8 = "Zig";

export fn summarize(values: [*]const c_int, count: usize) Summary {
    zig_calls += 1;
    var summary = Summary{ .least = values[0], .most = values[0], .sum = 0 };
    for (values[0..count]) |value| {
        summary.least = @min(summary.least, value);
        summary.most = @max(summary.most, value);
        summary.sum += each_value(value);
    }
    return summary;
}

export fn visit(values: [*]const c_int, count: usize, callback: *const fn (c_int) callconv(.c) void) void {
    zig_calls += 1;
    for (values[0..count]) |value| callback(value);
}
