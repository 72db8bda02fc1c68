//! First steps.
use vm::*;
#[test]
fn smoke() {
    let engine = Engine::default();
    let m = Module::new(&engine, r#"(module
      (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
      (memory 1)
      (func (export "oob") (result i32) (i32.load (i32.const 65536)))
      (func $r (export "rec") (call $r))
    )"#).unwrap();
    let mut s = Store::new(&engine, ());
    let i = Instance::new(&mut s, &m, &[]).unwrap();
    let f = i.get_typed_func::<i32, i32>(&mut s, "fib").unwrap();
    assert_eq!(f.call(&mut s, 20).unwrap(), 6765);
    let e = i
        .get_typed_func::<(), i32>(&mut s, "oob")
        .unwrap()
        .call(&mut s, ())
        .unwrap_err();
    println!("{e}\n{}", e.backtrace().unwrap());
    let e = i
        .get_typed_func::<(), ()>(&mut s, "rec")
        .unwrap()
        .call(&mut s, ())
        .unwrap_err();
    println!(
        "{e}\n{} frames\n{}",
        e.backtrace().unwrap().frames().len(),
        e.backtrace().unwrap().frames()[0]
    );
}
