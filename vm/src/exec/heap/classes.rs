//! Size classes: the sizes of the cells that small objects are given.

/// Bytes of the smallest unit: every object begins at a multiple of it.
pub(crate) const GRANULE: u32 = 8;

/// Bytes of the cells of each class, ascending. The larger ones are what a span
/// holds 6, 5, 4, 3 and 2 of.
pub(crate) const CELLS: [u32; 33] = [
    16, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024,
    1360, 1632, 2040, 2728, 3272, 4096, 5456, 8192,
];

/// How many classes there are.
pub(crate) const CLASSES: usize = CELLS.len();

/// Bytes of the largest object that is given a cell; larger ones have pages.
pub(crate) const MAX_SMALL: u32 = CELLS[CLASSES - 1];

/// The class of each size in granules.
static CLASS_OF: [u8; (MAX_SMALL / GRANULE) as usize + 1] = {
    let mut table = [0; (MAX_SMALL / GRANULE) as usize + 1];
    let (mut granules, mut class) = (0, 0);
    while granules < table.len() {
        if granules > (CELLS[class] / GRANULE) as usize {
            class += 1;
        }
        table[granules] = class as u8;
        granules += 1;
    }
    table
};

/// The class of objects of so many bytes, header included; `None` if they are too
/// large for any.
#[inline(always)]
pub(crate) fn class_of(bytes: u64) -> Option<usize> {
    if bytes > u64::from(MAX_SMALL) {
        return None;
    }
    CLASS_OF
        .get(bytes.div_ceil(u64::from(GRANULE)) as usize)
        .map(|class| usize::from(*class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_has_the_smallest_cell_that_holds_it() {
        for bytes in 0..=u64::from(MAX_SMALL) {
            let class = class_of(bytes).expect("small");
            assert!(u64::from(CELLS[class]) >= bytes, "{bytes} in {}", CELLS[class]);
            assert!(
                class == 0 || u64::from(CELLS[class - 1]) < bytes,
                "{bytes} in {}",
                CELLS[class]
            );
        }
        assert_eq!(class_of(u64::from(MAX_SMALL) + 1), None);
        assert!(CELLS.iter().all(|cell| cell.is_multiple_of(GRANULE)));
        assert!(CELLS.is_sorted());
    }
}
