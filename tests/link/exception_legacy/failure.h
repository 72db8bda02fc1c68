#pragma once

struct Failure {
  int code;
  explicit Failure(int code) : code(code) {}
  virtual const char *what() const;
  virtual ~Failure();
};

struct Special : Failure {
  using Failure::Failure;
  const char *what() const override;
};

void fail(int kind);
int guarded(void (*callback)());
