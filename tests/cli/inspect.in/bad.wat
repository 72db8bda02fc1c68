(module (@custom "dylink.0" "\01\05\00"))
