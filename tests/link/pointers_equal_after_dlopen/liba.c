void of_a(void) {
}
