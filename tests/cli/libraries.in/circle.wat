;; Libraries that need each other.
(module (@dylink.0 (needed "liba.so" "libb.so")))
