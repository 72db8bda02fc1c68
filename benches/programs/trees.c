/* Builds, walks and frees binary trees: malloc and free, recursion. */
#include "guest.h"

struct node { struct node *left, *right; };

static struct node *build(int depth) {
    struct node *node = malloc(sizeof *node);
    node->left = depth ? build(depth - 1) : 0;
    node->right = depth ? build(depth - 1) : 0;
    return node;
}

static uint32_t walk(const struct node *node) {
    return node->left ? 1 + walk(node->left) + walk(node->right) : 1;
}

static void fell(struct node *node) {
    if (node->left) { fell(node->left); fell(node->right); }
    free(node);
}

int main(int argc, char **argv) {
    int deepest = size_argument(argc, argv, 16);
    struct node *lasting = build(deepest);
    uint64_t sum = 0;
    for (int depth = 4; depth <= deepest; depth += 2)
        for (int i = 1 << (deepest - depth + 2); i--;) {
            struct node *tree = build(depth);
            sum = sum * 3 + walk(tree);
            fell(tree);
        }
    print_number(sum + walk(lasting));
    return 0;
}
