//! The opcode table: each plain operator in one row.
//!
//! A row is the operator's name in `wasmparser::Operator`, its mnemonic, its
//! signature and its meaning in Rust. From it derive the operator's type and
//! handlers for each operand variant (`exec::numeric`, `exec::data`) and its
//! place in the translator (`ir::translate`), which pass a macro to
//! [`for_each_plain_op`] that receives the whole table.
//!
//! Types say how an operand is seen: `i32` and `u32` are both wasm's i32.
//! `commutes` lets the translator move a constant to the right; a comparison
//! names its negation (where there is one) and the comparison with its
//! operands swapped. Rows of `binary_trapping` and `unary_trapping` have a
//! `Result<_, Trap>` as their meaning.

/// Calls the macro `$callback` with the opcode table.
macro_rules! for_each_plain_op {
    ($callback:ident) => {
        $callback! {
            binary {
                I32Add "i32.add" (u32, u32) -> u32 commutes = |a, b| a.wrapping_add(b);
                I32Sub "i32.sub" (u32, u32) -> u32 = |a, b| a.wrapping_sub(b);
                I32Mul "i32.mul" (u32, u32) -> u32 commutes = |a, b| a.wrapping_mul(b);
                I32And "i32.and" (u32, u32) -> u32 commutes = |a, b| a & b;
                I32Or "i32.or" (u32, u32) -> u32 commutes = |a, b| a | b;
                I32Xor "i32.xor" (u32, u32) -> u32 commutes = |a, b| a ^ b;
                I32Shl "i32.shl" (u32, u32) -> u32 = |a, b| a.wrapping_shl(b);
                I32ShrS "i32.shr_s" (i32, i32) -> i32 = |a, b| a.wrapping_shr(b as u32);
                I32ShrU "i32.shr_u" (u32, u32) -> u32 = |a, b| a.wrapping_shr(b);
                I32Rotl "i32.rotl" (u32, u32) -> u32 = |a, b| a.rotate_left(b & 31);
                I32Rotr "i32.rotr" (u32, u32) -> u32 = |a, b| a.rotate_right(b & 31);
                I64Add "i64.add" (u64, u64) -> u64 commutes = |a, b| a.wrapping_add(b);
                I64Sub "i64.sub" (u64, u64) -> u64 = |a, b| a.wrapping_sub(b);
                I64Mul "i64.mul" (u64, u64) -> u64 commutes = |a, b| a.wrapping_mul(b);
                I64And "i64.and" (u64, u64) -> u64 commutes = |a, b| a & b;
                I64Or "i64.or" (u64, u64) -> u64 commutes = |a, b| a | b;
                I64Xor "i64.xor" (u64, u64) -> u64 commutes = |a, b| a ^ b;
                I64Shl "i64.shl" (u64, u64) -> u64 = |a, b| a.wrapping_shl(b as u32);
                I64ShrS "i64.shr_s" (i64, i64) -> i64 = |a, b| a.wrapping_shr(b as u32);
                I64ShrU "i64.shr_u" (u64, u64) -> u64 = |a, b| a.wrapping_shr(b as u32);
                I64Rotl "i64.rotl" (u64, u64) -> u64 = |a, b| a.rotate_left((b & 63) as u32);
                I64Rotr "i64.rotr" (u64, u64) -> u64 = |a, b| a.rotate_right((b & 63) as u32);
                F32Add "f32.add" (f32, f32) -> f32 commutes = |a, b| a + b;
                F32Sub "f32.sub" (f32, f32) -> f32 = |a, b| a - b;
                F32Mul "f32.mul" (f32, f32) -> f32 commutes = |a, b| a * b;
                F32Div "f32.div" (f32, f32) -> f32 = |a, b| a / b;
                F32Min "f32.min" (f32, f32) -> f32 = |a, b| float_min!(a, b);
                F32Max "f32.max" (f32, f32) -> f32 = |a, b| float_max!(a, b);
                F32Copysign "f32.copysign" (f32, f32) -> f32 = |a, b| a.copysign(b);
                F64Add "f64.add" (f64, f64) -> f64 commutes = |a, b| a + b;
                F64Sub "f64.sub" (f64, f64) -> f64 = |a, b| a - b;
                F64Mul "f64.mul" (f64, f64) -> f64 commutes = |a, b| a * b;
                F64Div "f64.div" (f64, f64) -> f64 = |a, b| a / b;
                F64Min "f64.min" (f64, f64) -> f64 = |a, b| float_min!(a, b);
                F64Max "f64.max" (f64, f64) -> f64 = |a, b| float_max!(a, b);
                F64Copysign "f64.copysign" (f64, f64) -> f64 = |a, b| a.copysign(b);
            }
            binary_trapping {
                I32DivS "i32.div_s" (i32, i32) -> i32 = |a, b| div_s!(a, b);
                I32DivU "i32.div_u" (u32, u32) -> u32 = |a, b| a.checked_div(b).ok_or(Trap::IntegerDivisionByZero);
                I32RemS "i32.rem_s" (i32, i32) -> i32 = |a, b| if b == 0 { Err(Trap::IntegerDivisionByZero) } else { Ok(a.wrapping_rem(b)) };
                I32RemU "i32.rem_u" (u32, u32) -> u32 = |a, b| a.checked_rem(b).ok_or(Trap::IntegerDivisionByZero);
                I64DivS "i64.div_s" (i64, i64) -> i64 = |a, b| div_s!(a, b);
                I64DivU "i64.div_u" (u64, u64) -> u64 = |a, b| a.checked_div(b).ok_or(Trap::IntegerDivisionByZero);
                I64RemS "i64.rem_s" (i64, i64) -> i64 = |a, b| if b == 0 { Err(Trap::IntegerDivisionByZero) } else { Ok(a.wrapping_rem(b)) };
                I64RemU "i64.rem_u" (u64, u64) -> u64 = |a, b| a.checked_rem(b).ok_or(Trap::IntegerDivisionByZero);
            }
            compare {
                I32Eq "i32.eq" (u32, u32) not I32Ne swap I32Eq = |a, b| a == b;
                I32Ne "i32.ne" (u32, u32) not I32Eq swap I32Ne = |a, b| a != b;
                I32LtS "i32.lt_s" (i32, i32) not I32GeS swap I32GtS = |a, b| a < b;
                I32GtS "i32.gt_s" (i32, i32) not I32LeS swap I32LtS = |a, b| a > b;
                I32LeS "i32.le_s" (i32, i32) not I32GtS swap I32GeS = |a, b| a <= b;
                I32GeS "i32.ge_s" (i32, i32) not I32LtS swap I32LeS = |a, b| a >= b;
                I32LtU "i32.lt_u" (u32, u32) not I32GeU swap I32GtU = |a, b| a < b;
                I32GtU "i32.gt_u" (u32, u32) not I32LeU swap I32LtU = |a, b| a > b;
                I32LeU "i32.le_u" (u32, u32) not I32GtU swap I32GeU = |a, b| a <= b;
                I32GeU "i32.ge_u" (u32, u32) not I32LtU swap I32LeU = |a, b| a >= b;
                I64Eq "i64.eq" (u64, u64) not I64Ne swap I64Eq = |a, b| a == b;
                I64Ne "i64.ne" (u64, u64) not I64Eq swap I64Ne = |a, b| a != b;
                I64LtS "i64.lt_s" (i64, i64) not I64GeS swap I64GtS = |a, b| a < b;
                I64GtS "i64.gt_s" (i64, i64) not I64LeS swap I64LtS = |a, b| a > b;
                I64LeS "i64.le_s" (i64, i64) not I64GtS swap I64GeS = |a, b| a <= b;
                I64GeS "i64.ge_s" (i64, i64) not I64LtS swap I64LeS = |a, b| a >= b;
                I64LtU "i64.lt_u" (u64, u64) not I64GeU swap I64GtU = |a, b| a < b;
                I64GtU "i64.gt_u" (u64, u64) not I64LeU swap I64LtU = |a, b| a > b;
                I64LeU "i64.le_u" (u64, u64) not I64GtU swap I64GeU = |a, b| a <= b;
                I64GeU "i64.ge_u" (u64, u64) not I64LtU swap I64LeU = |a, b| a >= b;
                F32Eq "f32.eq" (f32, f32) not F32Ne swap F32Eq = |a, b| a == b;
                F32Ne "f32.ne" (f32, f32) not F32Eq swap F32Ne = |a, b| a != b;
                F32Lt "f32.lt" (f32, f32) swap F32Gt = |a, b| a < b;
                F32Gt "f32.gt" (f32, f32) swap F32Lt = |a, b| a > b;
                F32Le "f32.le" (f32, f32) swap F32Ge = |a, b| a <= b;
                F32Ge "f32.ge" (f32, f32) swap F32Le = |a, b| a >= b;
                F64Eq "f64.eq" (f64, f64) not F64Ne swap F64Eq = |a, b| a == b;
                F64Ne "f64.ne" (f64, f64) not F64Eq swap F64Ne = |a, b| a != b;
                F64Lt "f64.lt" (f64, f64) swap F64Gt = |a, b| a < b;
                F64Gt "f64.gt" (f64, f64) swap F64Lt = |a, b| a > b;
                F64Le "f64.le" (f64, f64) swap F64Ge = |a, b| a <= b;
                F64Ge "f64.ge" (f64, f64) swap F64Le = |a, b| a >= b;
            }
            unary {
                I32Clz "i32.clz" (u32) -> u32 = |a| a.leading_zeros();
                I32Ctz "i32.ctz" (u32) -> u32 = |a| a.trailing_zeros();
                I32Popcnt "i32.popcnt" (u32) -> u32 = |a| a.count_ones();
                I32Extend8S "i32.extend8_s" (i32) -> i32 = |a| i32::from(a as i8);
                I32Extend16S "i32.extend16_s" (i32) -> i32 = |a| i32::from(a as i16);
                I64Clz "i64.clz" (u64) -> u64 = |a| u64::from(a.leading_zeros());
                I64Ctz "i64.ctz" (u64) -> u64 = |a| u64::from(a.trailing_zeros());
                I64Popcnt "i64.popcnt" (u64) -> u64 = |a| u64::from(a.count_ones());
                I64Extend8S "i64.extend8_s" (i64) -> i64 = |a| i64::from(a as i8);
                I64Extend16S "i64.extend16_s" (i64) -> i64 = |a| i64::from(a as i16);
                I64Extend32S "i64.extend32_s" (i64) -> i64 = |a| i64::from(a as i32);
                I32WrapI64 "i32.wrap_i64" (u64) -> u32 = |a| a as u32;
                I64ExtendI32S "i64.extend_i32_s" (i32) -> i64 = |a| i64::from(a);
                I64ExtendI32U "i64.extend_i32_u" (u32) -> u64 = |a| u64::from(a);
                F32Abs "f32.abs" (f32) -> f32 = |a| a.abs();
                F32Neg "f32.neg" (f32) -> f32 = |a| -a;
                F32Ceil "f32.ceil" (f32) -> f32 = |a| quiet!(a, a.ceil());
                F32Floor "f32.floor" (f32) -> f32 = |a| quiet!(a, a.floor());
                F32Trunc "f32.trunc" (f32) -> f32 = |a| quiet!(a, a.trunc());
                F32Nearest "f32.nearest" (f32) -> f32 = |a| quiet!(a, a.round_ties_even());
                F32Sqrt "f32.sqrt" (f32) -> f32 = |a| a.sqrt();
                F32ConvertI32S "f32.convert_i32_s" (i32) -> f32 = |a| a as f32;
                I32TruncSatF32S "i32.trunc_sat_f32_s" (f32) -> i32 = |a| a as i32;
                F32ConvertI32U "f32.convert_i32_u" (u32) -> f32 = |a| a as f32;
                I32TruncSatF32U "i32.trunc_sat_f32_u" (f32) -> u32 = |a| a as u32;
                F32ConvertI64S "f32.convert_i64_s" (i64) -> f32 = |a| a as f32;
                I64TruncSatF32S "i64.trunc_sat_f32_s" (f32) -> i64 = |a| a as i64;
                F32ConvertI64U "f32.convert_i64_u" (u64) -> f32 = |a| a as f32;
                I64TruncSatF32U "i64.trunc_sat_f32_u" (f32) -> u64 = |a| a as u64;
                F64Abs "f64.abs" (f64) -> f64 = |a| a.abs();
                F64Neg "f64.neg" (f64) -> f64 = |a| -a;
                F64Ceil "f64.ceil" (f64) -> f64 = |a| quiet!(a, a.ceil());
                F64Floor "f64.floor" (f64) -> f64 = |a| quiet!(a, a.floor());
                F64Trunc "f64.trunc" (f64) -> f64 = |a| quiet!(a, a.trunc());
                F64Nearest "f64.nearest" (f64) -> f64 = |a| quiet!(a, a.round_ties_even());
                F64Sqrt "f64.sqrt" (f64) -> f64 = |a| a.sqrt();
                F64ConvertI32S "f64.convert_i32_s" (i32) -> f64 = |a| a as f64;
                I32TruncSatF64S "i32.trunc_sat_f64_s" (f64) -> i32 = |a| a as i32;
                F64ConvertI32U "f64.convert_i32_u" (u32) -> f64 = |a| a as f64;
                I32TruncSatF64U "i32.trunc_sat_f64_u" (f64) -> u32 = |a| a as u32;
                F64ConvertI64S "f64.convert_i64_s" (i64) -> f64 = |a| a as f64;
                I64TruncSatF64S "i64.trunc_sat_f64_s" (f64) -> i64 = |a| a as i64;
                F64ConvertI64U "f64.convert_i64_u" (u64) -> f64 = |a| a as f64;
                I64TruncSatF64U "i64.trunc_sat_f64_u" (f64) -> u64 = |a| a as u64;
                F32DemoteF64 "f32.demote_f64" (f64) -> f32 = |a| a as f32;
                F64PromoteF32 "f64.promote_f32" (f32) -> f64 = |a| f64::from(a);
                I32ReinterpretF32 "i32.reinterpret_f32" (f32) -> u32 = |a| a.to_bits();
                I64ReinterpretF64 "i64.reinterpret_f64" (f64) -> u64 = |a| a.to_bits();
                F32ReinterpretI32 "f32.reinterpret_i32" (u32) -> f32 = |a| f32::from_bits(a);
                F64ReinterpretI64 "f64.reinterpret_i64" (u64) -> f64 = |a| f64::from_bits(a);
                RefI31 "ref.i31" (u32) -> u32 = |a| a << 1 | 1;
            }
            unary_trapping {
                I31GetS "i31.get_s" (u32) -> i32 = |a| if a == 0 { Err(Trap::NullI31Reference) } else { Ok(a as i32 >> 1) };
                I31GetU "i31.get_u" (u32) -> u32 = |a| if a == 0 { Err(Trap::NullI31Reference) } else { Ok(a >> 1) };
                I32TruncF32S "i32.trunc_f32_s" (f32) -> i32 = |a| trunc!(a, -2147483904.0, 2147483648.0, i32);
                I32TruncF32U "i32.trunc_f32_u" (f32) -> u32 = |a| trunc!(a, -1.0, 4294967296.0, u32);
                I64TruncF32S "i64.trunc_f32_s" (f32) -> i64 = |a| trunc!(a, -9223373136366403584.0, 9223372036854775808.0, i64);
                I64TruncF32U "i64.trunc_f32_u" (f32) -> u64 = |a| trunc!(a, -1.0, 18446744073709551616.0, u64);
                I32TruncF64S "i32.trunc_f64_s" (f64) -> i32 = |a| trunc!(a, -2147483649.0, 2147483648.0, i32);
                I32TruncF64U "i32.trunc_f64_u" (f64) -> u32 = |a| trunc!(a, -1.0, 4294967296.0, u32);
                I64TruncF64S "i64.trunc_f64_s" (f64) -> i64 = |a| trunc!(a, -9223372036854777856.0, 9223372036854775808.0, i64);
                I64TruncF64U "i64.trunc_f64_u" (f64) -> u64 = |a| trunc!(a, -1.0, 18446744073709551616.0, u64);
            }
            load {
                I32Load "i32.load" u32 -> u32;
                I64Load "i64.load" u64 -> u64;
                F32Load "f32.load" f32 -> f32;
                F64Load "f64.load" f64 -> f64;
                I32Load8S "i32.load8_s" i8 -> i32;
                I32Load8U "i32.load8_u" u8 -> u32;
                I32Load16S "i32.load16_s" i16 -> i32;
                I32Load16U "i32.load16_u" u16 -> u32;
                I64Load8S "i64.load8_s" i8 -> i64;
                I64Load8U "i64.load8_u" u8 -> u64;
                I64Load16S "i64.load16_s" i16 -> i64;
                I64Load16U "i64.load16_u" u16 -> u64;
                I64Load32S "i64.load32_s" i32 -> i64;
                I64Load32U "i64.load32_u" u32 -> u64;
            }
            store {
                I32Store "i32.store" u32 -> u32;
                I64Store "i64.store" u64 -> u64;
                F32Store "f32.store" f32 -> f32;
                F64Store "f64.store" f64 -> f64;
                I32Store8 "i32.store8" u32 -> u8;
                I32Store16 "i32.store16" u32 -> u16;
                I64Store8 "i64.store8" u64 -> u8;
                I64Store16 "i64.store16" u64 -> u16;
                I64Store32 "i64.store32" u64 -> u32;
            }
        }
    };
}
pub(crate) use for_each_plain_op;
