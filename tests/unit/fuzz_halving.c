/* Damages a JPEG file in many ways and has it halved: fuzz ROUNDS < tile.jpeg
 *
 * Compiled with sanitizers, which end the program at the first step that must not be. Prints how
 * many damaged tiles were decoded, how many refused, and a sum over all that was decoded.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "halving.h"

enum { MOST_BYTES = 1 << 16, WIDTH = 64, HEIGHT = 48, HEADER = 700 };

static uint32_t state = 1;

static uint32_t draw(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % below;
}

int main(int count, char **arguments) {
  uint8_t *whole = malloc(MOST_BYTES);
  size_t length = fread(whole, 1, MOST_BYTES, stdin);
  int rounds = count > 1 ? atoi(arguments[1]) : 1, decoded = 0, refused = 0;
  uint32_t sum = 0;
  for (int round = 0; round < rounds; round++) {
    /* Memory of just that size: a byte beyond is noticed. */
    size_t kept = draw(5) ? length : 1 + draw((uint32_t)length);
    uint8_t *damaged = malloc(kept), *planes = malloc(3 * 2 * WIDTH / 2 * HEIGHT / 2);
    memcpy(damaged, whole, kept);
    for (uint32_t hits = 1 + draw(8); hits; hits--) {
      uint32_t within = draw(2) ? HEADER : (uint32_t)kept;
      damaged[draw(within < kept ? within : (uint32_t)kept)] = (uint8_t)draw(256);
    }
    struct tile tiles[] = {{whole, length}, {damaged, kept}};
    int first = draw(2) ? 1 : 0;
    if (halve_tiles(tiles + first, 2 - first, 2 - first, WIDTH, HEIGHT, planes)) {
      refused++;
    } else {
      decoded++;
      for (int i = 0; i < 3 * (2 - first) * WIDTH / 2 * HEIGHT / 2; i++) {
        sum = sum * 31 + planes[i];
      }
    }
    free(damaged);
    free(planes);
  }
  free(whole);
  printf("%d %d %u\n", decoded, refused, sum);
  return 0;
}
