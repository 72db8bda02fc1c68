//! The host's registers for floats: a float in the low half, or a vector.

/// A register of floats and vectors. Who puts a float there leaves the rest as it
/// may be, so that it costs nothing.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Float(std::mem::MaybeUninit<std::arch::x86_64::__m128i>);
/// A register of floats.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Float(f64);

impl Float {
    /// One with the value 0.
    pub(crate) const fn zero() -> Self {
        #[cfg(target_arch = "x86_64")]
        return Self(std::mem::MaybeUninit::zeroed());
        #[cfg(not(target_arch = "x86_64"))]
        Self(0.0)
    }

    /// The float in it.
    #[inline(always)]
    pub(crate) fn get(&self) -> f64 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: all that makes one writes the low half.
        unsafe {
            self.0.as_ptr().cast::<f64>().read()
        }
        #[cfg(not(target_arch = "x86_64"))]
        self.0
    }
}

impl From<f64> for Float {
    #[inline(always)]
    fn from(value: f64) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let mut register = std::mem::MaybeUninit::<std::arch::x86_64::__m128i>::uninit();
            // SAFETY: half of its bytes.
            unsafe { register.as_mut_ptr().cast::<f64>().write(value) };
            Self(register)
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self(value)
    }
}

#[cfg(target_arch = "x86_64")]
impl Float {
    /// One with a vector.
    #[inline(always)]
    pub(crate) fn of_vector(vector: std::arch::x86_64::__m128i) -> Self {
        Self(std::mem::MaybeUninit::new(vector))
    }

    /// The vector in it.
    ///
    /// # Safety
    /// It was made by [`Float::of_vector`].
    #[inline(always)]
    pub(crate) unsafe fn vector(self) -> std::arch::x86_64::__m128i {
        // SAFETY: the caller's promise.
        unsafe { self.0.assume_init() }
    }
}

impl std::fmt::Debug for Float {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}
