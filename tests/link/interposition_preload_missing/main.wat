(module (@dylink.0 (mem-info (memory 0 0))) (func (export "_start")))
