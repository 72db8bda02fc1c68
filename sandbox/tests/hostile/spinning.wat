;; Spins with all the fuel there is.
;;; config fuel=1000000 spent
;;; expect trap: all fuel consumed
;;; main
(module (func (export "run") (loop (br 0))))
