//! Vectors moved, not changed: constants, copies, globals and `select`.

use super::operand::{VectorDst, VectorSrc, read, vector_destinations, write};
use crate::exec::data::{GlobalPlace, Imported, Own};
use crate::exec::dispatch::{Handler, handler, next};
use crate::exec::operand::{A, At, Destinations, IMM64, S, SHORT, SRC, Src};

handler! {
    /// `v128.const`: the vector stands at byte 16.
    fn constant<D: VectorDst>(s) {
        let vector = read(s.ip.add(IMM64).cast());
        D::put_vector(&mut s, vector);
        s.ip = s.ip.add(SHORT + 16);
        next(s)
    }

    /// Copies a vector.
    fn copy<I: VectorSrc, D: VectorDst>(s) {
        let vector = I::vector(&s, SRC);
        D::put_vector(&mut s, vector);
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `select` of vectors: slots from byte 10 on, the condition last.
    fn select<X: VectorSrc, Y: VectorSrc, C: Src, D: VectorDst>(s) {
        let condition = C::get::<u32>(&s, At::slot(SRC + 2 * X::SLOTS + 2 * Y::SLOTS));
        let (x, y) = (X::vector(&s, SRC), Y::vector(&s, SRC + 2 * X::SLOTS));
        let vector = if condition != 0 { x } else { y };
        D::put_vector(&mut s, vector);
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `global.get`: the place relative to `cx` stands at byte 12.
    fn global_get<G: GlobalPlace, D: VectorDst>(s) {
        let vector = read(G::cell(&s));
        D::put_vector(&mut s, vector);
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `global.set`: the place relative to `cx` stands at byte 12.
    fn global_set<G: GlobalPlace, I: VectorSrc>(s) {
        let vector = I::vector(&s, SRC);
        write(G::cell(&s), vector);
        s.ip = s.ip.add(SHORT);
        next(s)
    }
}

/// `v128.const`.
pub(crate) static CONST: Destinations = vector_destinations!(constant);
/// Copies from slots.
pub(crate) static COPY: Destinations = vector_destinations!(copy, S);
/// `select` by the condition: in a slot, the accumulator.
pub(crate) static SELECT: [Destinations; 2] = [
    vector_destinations!(select, S, S, S),
    vector_destinations!(select, S, S, A),
];
/// `global.get` by [own or imported].
pub(crate) static GLOBAL_GET: [Destinations; 2] = [
    vector_destinations!(global_get, Own),
    vector_destinations!(global_get, Imported),
];
/// `global.set` by [own or imported].
pub(crate) static GLOBAL_SET: [Handler; 2] = [global_set::<Own, S>, global_set::<Imported, S>];
