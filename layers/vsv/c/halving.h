/* JPEG tiles at half their size, decoded straight to planes of Y, Cb and Cr. */

#ifndef VSV_HALVING_H
#define VSV_HALVING_H

#include <stddef.h>
#include <stdint.h>

/* Of a tile, in pixels. */
enum { HALVING_MOST_SIDE = 1024 };

/* One JPEG file. */
struct tile {
  const uint8_t *data;
  size_t length;
};

/* Decodes `count` tiles, each `width` by `height` pixels, which lie side by side by rows of `cols`.
 *
 * The output has three planes, one after the other: Y, Cb, Cr, each cols * width / 2 bytes wide and
 * count / cols * height / 2 rows high. A sample is the mean of two by two pixels as libjpeg decodes
 * them, to within rounding.
 *
 * Returns 0, or -1 where a tile is not what is decoded here (a baseline JPEG of that size, RGB or
 * YCbCr with chroma 4:4:4, 4:2:2 or 4:2:0, without restart markers; sides are multiples of 16, up to
 * HALVING_MOST_SIDE), where the least thing is wrong with it, or where memory ran out. The output is undefined
 * then. No data make it read or write outside the memory it was given.
 */
int halve_tiles(const struct tile *tiles, int count, int cols, int width, int height,
                uint8_t *output);

#endif
