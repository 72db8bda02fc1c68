;; Components have a text format too.
(component
    (core module $m))
