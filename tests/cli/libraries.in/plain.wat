;; It is linked with nothing.
(module (func (export "_start")))
