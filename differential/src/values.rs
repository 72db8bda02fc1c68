//! What is the same for engines whose interface has the same names.

/// Defines how the types and values of an engine's crate become those of the comparison,
/// and values its own again, and what needs no more than that; `$unused` are values that
/// it has only for a proposal that is switched off.
macro_rules! values {
    ($engine:ident $(, $unused:pat)?) => {
        use $engine::{AnyRef, ExternRef, FuncType, HeapType, I31, Rooted, V128, ValType};
        use $crate::machine::{ELEMENTS, Kind};

        /// The exported functions, and the types of their parameters.
        fn functions(store: &Store<StoreLimits>, exports: &[(String, Extern)]) -> Vec<(String, Vec<Type>)> {
            let functions = exports.iter().filter_map(|(name, export)| {
                let ty = Clone::clone(export).into_func()?.ty(store);
                Some((name.clone(), ty.params().map(|ty| type_of(&ty)).collect()))
            });
            functions.collect()
        }

        fn exported(exports: &[(String, Extern)], name: &str) -> Option<Extern> {
            exports
                .iter()
                .find(|(export, _)| export == name)
                .map(|(_, export)| Clone::clone(export))
        }

        /// A host function that gives what the comparison answers.
        fn answering(store: &mut Store<StoreLimits>, name: &str, ty: &FuncType) -> Result<Func, Ending> {
            let (name, func) = (name.to_owned(), ty.clone());
            let types: Vec<Type> = func.results().map(|ty| type_of(&ty)).collect();
            answer(&name, &[], &types).ok_or(Ending::Unanswerable)?;
            let answer = move |mut caller: Caller<'_, StoreLimits>, arguments: &[Val], results: &mut [Val]| {
                let arguments: Vec<Value> = arguments.iter().map(|value| to_value(&mut caller, value, 1)).collect();
                let values = answer(&name, &arguments, &types).expect("the same types have values again");
                for ((result, value), ty) in results.iter_mut().zip(&values).zip(func.results()) {
                    *result = from_value(&mut caller, value, &ty)?;
                }
                Ok(())
            };
            Ok(Func::new(store, ty.clone(), answer))
        }

        /// The size of a table, and a hash of what is in it.
        fn contents(store: &mut impl $engine::AsContextMut, table: &Table) -> (u64, u64) {
            let size = table.size(&*store);
            let values = (0..size).map(|index| {
                let element = table.get(&mut *store, index).expect("is below the size");
                to_value(store, &element.into(), 1)
            });
            (size, hash_of_values(values))
        }

        fn type_of(ty: &ValType) -> Type {
            match ty {
                ValType::I32 => Type::I32,
                ValType::I64 => Type::I64,
                ValType::F32 => Type::F32,
                ValType::F64 => Type::F64,
                ValType::V128 => Type::V128,
                ValType::Ref(ty) => {
                    let kind = match ty.heap_type() {
                        HeapType::Func => Kind::Func,
                        HeapType::Extern => Kind::Extern,
                        HeapType::Any | HeapType::Eq | HeapType::I31 => Kind::I31,
                        _ => Kind::Other,
                    };
                    if ty.is_nullable() {
                        Type::Null(kind)
                    } else {
                        Type::NonNull(kind)
                    }
                }
            }
        }

        /// A value as the comparison has it, with what it refers to up to some depth.
        fn to_value(store: &mut impl $engine::AsContextMut, value: &Val, depth: u32) -> Value {
            match value {
                Val::I32(value) => Value::I32(*value),
                Val::I64(value) => Value::I64(*value),
                Val::F32(bits) => Value::F32(*bits),
                Val::F64(bits) => Value::F64(*bits),
                Val::V128(bits) => Value::V128(bits.as_u128()),
                Val::FuncRef(Some(_)) => Value::Func,
                Val::ExternRef(Some(value)) => external(store, *value, depth),
                Val::AnyRef(Some(value)) => internal(store, *value, depth),
                Val::ExnRef(Some(_)) => Value::Exn,
                Val::FuncRef(None) | Val::ExternRef(None) | Val::AnyRef(None) | Val::ExnRef(None) => Value::Null,
                $($unused => unreachable!("their proposal is switched off"),)?
            }
        }

        fn external(store: &mut impl $engine::AsContextMut, value: Rooted<ExternRef>, depth: u32) -> Value {
            let data = value.data(&*store).expect("is of this store");
            match data {
                Some(data) => Value::Host(*data.downcast_ref::<u32>().expect("made below")),
                None => {
                    let value = AnyRef::convert_extern(&mut *store, value).expect("is of this store");
                    internal(store, value, depth)
                }
            }
        }

        fn internal(store: &mut impl $engine::AsContextMut, value: Rooted<AnyRef>, depth: u32) -> Value {
            const OURS: &str = "is of this store";
            if let Some(number) = value.as_i31(&*store).expect(OURS) {
                return Value::I31(number.get_u32());
            }
            if let Some(object) = value.as_struct(&*store).expect(OURS) {
                if depth == 0 {
                    return Value::Deep;
                }
                let fields: Vec<Val> = object.fields(&mut *store).expect(OURS).collect();
                return Value::Struct(all(store, &fields, depth - 1));
            }
            if let Some(array) = value.as_array(&*store).expect(OURS) {
                if depth == 0 {
                    return Value::Deep;
                }
                let length = array.len(&*store).expect(OURS);
                let elements: Vec<Val> = (0..length.min(ELEMENTS))
                    .map(|index| array.get(&mut *store, index).expect("is below the length"))
                    .collect();
                return Value::Array(length, all(store, &elements, depth - 1));
            }
            let value = ExternRef::convert_any(&mut *store, value).expect(OURS);
            external(store, value, depth)
        }

        fn all(store: &mut impl $engine::AsContextMut, values: &[Val], depth: u32) -> Vec<Value> {
            values.iter().map(|value| to_value(store, value, depth)).collect()
        }

        fn from_value(store: &mut impl $engine::AsContextMut, value: &Value, ty: &ValType) -> Result<Val, Error> {
            Ok(match (value, ty) {
                (Value::I32(value), _) => Val::I32(*value),
                (Value::I64(value), _) => Val::I64(*value),
                (Value::F32(bits), _) => Val::F32(*bits),
                (Value::F64(bits), _) => Val::F64(*bits),
                (Value::V128(bits), _) => Val::V128(V128::from(*bits)),
                (Value::Null, ValType::Ref(ty)) => Ref::null(ty.heap_type()).into(),
                (Value::I31(bits), _) => Val::AnyRef(Some(AnyRef::from_i31(&mut *store, I31::wrapping_u32(*bits)))),
                (Value::Host(number), _) => Val::ExternRef(Some(ExternRef::new(&mut *store, *number)?)),
                _ => unreachable!("no other values are given to guests"),
            })
        }
    };
}

pub(crate) use values;
