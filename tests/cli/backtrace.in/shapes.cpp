// A template's member function that traps, and one that is inlined.

namespace shapes {

template <typename T> struct Box {
    T width, height;

    __attribute__((noinline)) T rows(T each) const { return check(height, each); }

    static inline __attribute__((always_inline)) T check(T length, T each) {
        if (each > length)
            __builtin_trap();
        return length / each;
    }
};

} // namespace shapes

extern "C" __attribute__((export_name("run"))) int run(int each) {
    shapes::Box<int> box{each + 1, 10};
    return box.rows(each) + box.width;
}
