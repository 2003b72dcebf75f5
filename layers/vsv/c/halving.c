/* See halving.h. Sources: ITU-T T.81 (JPEG); Arai, Agui and Nakajima 1988 (the fast cosine
 * transform); libjpeg's jdsample.c (how decoders enlarge chroma).
 *
 * Nearly all time goes to Huffman codes, so these are read by one look at a table that holds code
 * and value together. The rest is done on eight 16-bit numbers at a time.
 *
 * Halving is part of the inverse cosine transform. With x the eight samples of a line of a block,
 * and X their transform, the mean of two neighbours is
 *
 *   (x[2i] + x[2i+1]) / 2 = sum over u of X[u] cos(u pi/16) cos((2i+1) u pi/8)
 *
 * in which u and 8 - u differ by their sign alone: a transform of four, of X[u] cos(u pi/16) minus
 * X[8-u] cos((8-u) pi/16). It is exact, unlike libjpeg's own scaling, which drops the upper half.
 */

#include "halving.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
  BLOCK = 8,           /* samples a side */
  SAMPLES = 64,        /* in a block */
  COMPONENTS = 3,
  TABLES = 4,          /* of each kind that a file can have */
  LOOK_BITS = 11,      /* of a code and its value that are looked up at once */
  LONGEST_CODE = 16,
  LARGEST_SIZE = 11,   /* bits of a value, in baseline JPEG */
  FRACTION = 5,        /* bits behind the point while a block is transformed */
  FACTOR_FRACTION = 11, /* and of the factors, beyond that */
  /* A block's codes have at most 64 times 27 bits, a file's last MCU at most six blocks. What is
   * read beyond the data is zeros, and noticed after an MCU. */
  PADDING = 2048,
  /* As advances, so far beyond a block that they are known there from a run that is too long. */
  END_OF_BLOCK = 2 * SAMPLES,
  NO_CODE = 3 * SAMPLES
};

/* ── Tables ─────────────────────────────────────────────────────────────────────────────────── */

/* What the next bits say: a value, how many bits it took, how far on in the block it stands.
 * No length: a code too long to be looked up. */
struct entry {
  int16_t value;
  uint8_t length, advance;
};

struct huffman {
  struct entry look[1 << LOOK_BITS];
  int largest[LONGEST_CODE + 1]; /* code of each length; -1 where there is none */
  int offset[LONGEST_CODE + 1];  /* from a code to its symbol's number */
  uint8_t symbols[256];
  int is_there;
};

struct component {
  int id, across, down; /* blocks of an MCU */
  int quantization;
  const struct huffman *dc, *ac;
  int32_t factors[SAMPLES]; /* in zigzag order: quantization and the transforms' own scale */
};

struct format {
  int width, height, is_rgb;
  struct component components[COMPONENTS];
  struct huffman dc[TABLES], ac[TABLES];
  uint8_t quantization[TABLES][SAMPLES];
  int has_quantization[TABLES];
};

static const uint8_t ZIGZAG[SAMPLES] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

/* By frequency, what a coefficient is multiplied with before `halved` and before `whole`. */
static const double HALVED_SCALE[BLOCK] = {0.35355339, 0.45306372, 0.32664074, 0.38408888,
                                           0.0,        0.25663998, 0.13529903, 0.09011998};
static const double WHOLE_SCALE[BLOCK] = {0.35355339, 0.49039264, 0.46193977, 0.41573481,
                                          0.35355339, 0.27778512, 0.19134172, 0.09754516};

static int read_value(int bits, int size) {
  return bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits;
}

static int build_huffman(struct huffman *table, const uint8_t counts[LONGEST_CODE],
                         const uint8_t *symbols, int is_ac) {
  int code = 0, number = 0;
  memset(table, 0, sizeof *table);
  for (int length = 1; length <= LONGEST_CODE; length++, code <<= 1) {
    table->offset[length] = number - code;
    for (int i = 0; i < counts[length - 1]; i++, number++, code++) {
      int symbol = symbols[number];
      int size = is_ac ? symbol & 15 : symbol, run = is_ac ? symbol >> 4 : 0;
      int room = LOOK_BITS - length;
      if (code >= 1 << length || size > LARGEST_SIZE) {
        return -1;
      }
      table->symbols[number] = (uint8_t)symbol;
      for (int rest = 0; size <= room && rest < 1 << room; rest++) {
        struct entry *entry = &table->look[code << room | rest];
        entry->length = (uint8_t)(length + size);
        entry->value = (int16_t)(size ? read_value(rest >> (room - size), size) : 0);
        entry->advance = (uint8_t)(is_ac && !size && run != 15 ? END_OF_BLOCK : run + 1);
      }
    }
    table->largest[length] = counts[length - 1] ? code - 1 : -1;
  }
  table->is_there = 1;
  return 0;
}

/* ── The file's header ──────────────────────────────────────────────────────────────────────── */

static int read_quantization(struct format *format, const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    int table = *at++;
    if (table >= TABLES || end - at < SAMPLES) {
      return -1;
    }
    memcpy(format->quantization[table], at, SAMPLES);
    format->has_quantization[table] = 1;
    at += SAMPLES;
  }
  return 0;
}

static int read_huffman(struct format *format, const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    int which = *at++, total = 0;
    if ((which & 0xEF) >= TABLES || end - at < LONGEST_CODE) {
      return -1;
    }
    for (int i = 0; i < LONGEST_CODE; i++) {
      total += at[i];
    }
    if (total > 256 || end - at < LONGEST_CODE + total) {
      return -1;
    }
    struct huffman *table = which >> 4 ? &format->ac[which & 3] : &format->dc[which & 3];
    if (build_huffman(table, at, at + LONGEST_CODE, which >> 4)) {
      return -1;
    }
    at += LONGEST_CODE + total;
  }
  return 0;
}

static int read_frame(struct format *format, const uint8_t *at, const uint8_t *end) {
  if (end - at != 6 + 3 * COMPONENTS || at[0] != 8 || at[5] != COMPONENTS || format->width) {
    return -1;
  }
  format->height = at[1] << 8 | at[2];
  format->width = at[3] << 8 | at[4];
  for (int i = 0; i < COMPONENTS; i++) {
    const uint8_t *facts = at + 6 + 3 * i;
    struct component *component = &format->components[i];
    component->id = facts[0];
    component->across = facts[1] >> 4;
    component->down = facts[1] & 15;
    component->quantization = facts[2];
    if (facts[2] >= TABLES) {
      return -1;
    }
  }
  struct component *luma = format->components;
  int chroma_is_one = luma[1].across == 1 && luma[1].down == 1 && luma[2].across == 1 &&
                      luma[2].down == 1;
  int known = (luma->across == 1 && luma->down == 1) || (luma->across == 2 && luma->down == 1) ||
              (luma->across == 2 && luma->down == 2);
  return chroma_is_one && known ? 0 : -1;
}

/* A component is halved along an axis unless it is subsampled along it. */
static int is_halved(const struct component *component, const struct component *luma, int axis) {
  return axis ? component->down == luma->down : component->across == luma->across;
}

static int read_scan(struct format *format, const uint8_t *at, const uint8_t *end) {
  if (end - at != 4 + 2 * COMPONENTS || at[0] != COMPONENTS || !format->width) {
    return -1;
  }
  const uint8_t *selection = at + 1 + 2 * COMPONENTS;
  if (selection[0] != 0 || selection[1] != SAMPLES - 1 || selection[2] != 0) {
    return -1;
  }
  for (int i = 0; i < COMPONENTS; i++) {
    struct component *component = &format->components[i];
    int dc = at[2 + 2 * i] >> 4, ac = at[2 + 2 * i] & 15;
    if (at[1 + 2 * i] != component->id || dc >= TABLES || ac >= TABLES ||
        !format->dc[dc].is_there || !format->ac[ac].is_there ||
        !format->has_quantization[component->quantization]) {
      return -1;
    }
    component->dc = &format->dc[dc];
    component->ac = &format->ac[ac];
    for (int k = 0; k < SAMPLES; k++) {
      double factor = format->quantization[component->quantization][k];
      for (int axis = 0; axis < 2; axis++) {
        int frequency = axis ? ZIGZAG[k] / BLOCK : ZIGZAG[k] % BLOCK;
        int halves = is_halved(component, format->components, axis);
        factor *= (halves ? HALVED_SCALE : WHOLE_SCALE)[frequency];
      }
      component->factors[k] = (int32_t)(factor * (1 << (FRACTION + FACTOR_FRACTION)) + 0.5);
    }
  }
  return 0;
}

/* Returns where the codes begin; 0 for what is not decoded here. */
static size_t read_header(struct format *format, const uint8_t *data, size_t length) {
  int is_jfif = 0, transform = -1;
  size_t at = 2;
  memset(format, 0, sizeof *format);
  if (length < 4 || data[0] != 0xFF || data[1] != 0xD8) {
    return 0;
  }
  while (at + 4 <= length && data[at] == 0xFF) {
    int marker = data[at + 1], failed = 0;
    size_t size = (size_t)data[at + 2] << 8 | data[at + 3];
    if (size < 2 || size > length - at - 2) {
      return 0;
    }
    const uint8_t *start = data + at + 4, *end = data + at + 2 + size;
    at += 2 + size;
    switch (marker) {
    case 0xDB:
      failed = read_quantization(format, start, end);
      break;
    case 0xC4:
      failed = read_huffman(format, start, end);
      break;
    case 0xC0:
      failed = read_frame(format, start, end);
      break;
    case 0xDA: {
      const struct component *parts = format->components;
      int named_rgb = parts[0].id == 'R' && parts[1].id == 'G' && parts[2].id == 'B';
      if (transform > 1 && !is_jfif) {
        return 0;
      }
      /* As libjpeg guesses. */
      format->is_rgb = !is_jfif && (transform < 0 ? named_rgb : transform == 0);
      return read_scan(format, start, end) ? 0 : at;
    }
    case 0xE0:
      /* libjpeg takes no shorter one for one. */
      is_jfif |= end - start >= 14 && !memcmp(start, "JFIF", 5);
      break;
    case 0xEE:
      if (end - start >= 12 && !memcmp(start, "Adobe", 5)) {
        transform = start[11];
      }
      break;
    case 0xFE:
      break;
    default:
      /* Other applications' data. All else asks for what is not done here. */
      failed = marker < 0xE1 || marker > 0xEF;
    }
    if (failed) {
      return 0;
    }
  }
  return 0;
}

/* ── Codes ──────────────────────────────────────────────────────────────────────────────────── */

/* The next bits, the first one leftmost; at least `count` of them are good. */
struct reader {
  uint64_t bits;
  int count;
  const uint8_t *next;
};

/* Up to 63 bits, at least 56. Those behind `count` are what will be read there again. */
static inline void fill(struct reader *reader) {
  const uint8_t *next = reader->next;
  uint64_t word = 0;
  for (int i = 0; i < 8; i++) { /* one load and a swap of bytes, which compilers know */
    word = word << 8 | next[i];
  }
  reader->bits |= word >> reader->count;
  reader->next += (63 - reader->count) >> 3;
  reader->count |= 56;
}

static inline void skip(struct reader *reader, int bits) {
  reader->bits <<= bits;
  reader->count -= bits;
}

/* The same as a look-up, for any code, and for what is none. */
static __attribute__((noinline)) struct entry read_long(struct reader *reader,
                                                        const struct huffman *table, int is_ac) {
  struct entry entry = {0, 0, NO_CODE};
  fill(reader);
  for (int length = 1; length <= LONGEST_CODE; length++) {
    int code = (int)(reader->bits >> (64 - length));
    if (code <= table->largest[length]) {
      int symbol = table->symbols[(code + table->offset[length]) & 255];
      int size = is_ac ? symbol & 15 : symbol, run = is_ac ? symbol >> 4 : 0;
      skip(reader, length);
      if (size) {
        entry.value = (int16_t)read_value((int)(reader->bits >> (64 - size)), size);
        skip(reader, size);
      }
      fill(reader);
      entry.advance = (uint8_t)(is_ac && !size && run != 15 ? END_OF_BLOCK : run + 1);
      return entry;
    }
  }
  return entry;
}

/* What the next bits say: in the table, or in `rare`. */
static inline const struct entry *read_code(struct reader *reader, const struct huffman *table,
                                            int is_ac, struct entry *rare) {
  const struct entry *entry = &table->look[reader->bits >> (64 - LOOK_BITS)];
  if (__builtin_expect(entry->length == 0, 0)) {
    struct reader copy = *reader; /* so that the reader itself can stay in registers */
    *rare = read_long(&copy, table, is_ac);
    *reader = copy;
    return rare;
  }
  skip(reader, entry->length);
  return entry;
}

/* Hostile data may overflow: then the sample is as wrong as they are. */
static inline int16_t scaled_up(int value, int32_t factor) {
  return (int16_t)((int32_t)((uint32_t)value * (uint32_t)factor) >> FACTOR_FRACTION);
}

/* Reads a block's coefficients into 64 zeros. Returns 0, or -1 for an invalid code. */
static inline int read_block(struct reader *out, const struct component *component,
                             int *predicted, int16_t *block) {
  struct reader reader = *out;
  struct entry rare;
  const struct huffman *table = component->ac;
  const int32_t *factors = component->factors;
  unsigned k = 0;
  fill(&reader);
  const struct entry *entry = read_code(&reader, component->dc, 0, &rare);
  if (entry->advance == NO_CODE) {
    return -1;
  }
  *predicted += entry->value;
  block[0] = scaled_up(*predicted, factors[0]);
  for (;;) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      entry = read_code(&reader, table, 1, &rare);
      k += entry->advance;
      if (k >= SAMPLES - 1) {
        if (k == SAMPLES - 1) {
          block[SAMPLES - 1] = scaled_up(entry->value, factors[SAMPLES - 1]);
        }
        *out = reader;
        return k == SAMPLES - 1 || (k >= END_OF_BLOCK && k < NO_CODE) ? 0 : -1;
      }
      block[ZIGZAG[k]] = scaled_up(entry->value, factors[k]);
    }
    /* Four codes that are looked up have 44 bits at most. */
    if (reader.count < 4 * LOOK_BITS) {
      fill(&reader);
    }
  }
}

/* Copies the codes up to the end of the image, without the zeros that follow each 0xFF. */
static uint8_t *unstuffed(const uint8_t *at, const uint8_t *end, uint8_t *out) {
  for (;;) {
    const uint8_t *marker = memchr(at, 0xFF, (size_t)(end - at));
    if (!marker || end - marker < 2) {
      return NULL;
    }
    memcpy(out, at, (size_t)(marker - at));
    out += marker - at;
    if (marker[1] == 0xD9) {
      memset(out, 0, PADDING);
      return out;
    }
    if (marker[1]) {
      return NULL;
    }
    *out++ = 0xFF;
    at = marker + 2;
  }
}

/* ── Transforms ─────────────────────────────────────────────────────────────────────────────── */

/* Signed numbers, in a type that is allowed to overflow: damaged data do. */
typedef uint16_t lanes __attribute__((vector_size(16)));
typedef int16_t signed_lanes __attribute__((vector_size(16)));

/* Products with a constant below 1, in 65,536ths. */
#if defined(__SSE2__)
static inline lanes times(lanes a, int factor) {
  return (lanes)_mm_mulhi_epi16((__m128i)a, _mm_set1_epi16((int16_t)factor));
}
static inline lanes low(lanes a, lanes b) {
  return (lanes)_mm_unpacklo_epi16((__m128i)a, (__m128i)b);
}
static inline lanes high(lanes a, lanes b) {
  return (lanes)_mm_unpackhi_epi16((__m128i)a, (__m128i)b);
}
#else
static inline lanes times(lanes a, int factor) {
  lanes product;
  for (int i = 0; i < BLOCK; i++) {
    product[i] = (uint16_t)(((int16_t)a[i] * factor) >> 16);
  }
  return product;
}
static inline lanes low(lanes a, lanes b) {
  return (lanes){a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]};
}
static inline lanes high(lanes a, lanes b) {
  return (lanes){a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7]};
}
#endif

enum {
  TAN_PI_8 = 27146,        /* 0.414214; square root of 2, less 1 */
  TWO_LESS_1_847759 = 9977,
  LESS_1_082392 = 5400,
  THREE_LESS_2_613126 = 25354
};

/* Four means of two neighbours each, of eight coefficients. */
static inline void halved(const lanes in[8], lanes out[4]) {
  lanes one = in[1] - in[7], two = in[2] - in[6], three = in[3] - in[5];
  lanes even = in[0] + two, even_less = in[0] - two;
  lanes odd = one + times(three, TAN_PI_8), odd_less = times(one, TAN_PI_8) - three;
  out[0] = even + odd;
  out[1] = even_less + odd_less;
  out[2] = even_less - odd_less;
  out[3] = even - odd;
}

/* Eight samples of eight coefficients. */
static inline void whole(const lanes in[8], lanes out[8]) {
  lanes sum = in[0] + in[4], difference = in[0] - in[4];
  lanes outer = in[2] + in[6], inner = in[2] - in[6];
  inner += times(inner, TAN_PI_8) - outer;
  lanes even[4] = {sum + outer, difference + inner, difference - inner, sum - outer};
  lanes a = in[5] + in[3], b = in[5] - in[3], c = in[1] + in[7], d = in[1] - in[7];
  lanes odd7 = c + a, rest = c - a, both = b + d;
  rest += times(rest, TAN_PI_8);
  both += both - times(both, TWO_LESS_1_847759);
  lanes odd6 = both - (b + b + b - times(b, THREE_LESS_2_613126)) - odd7;
  lanes odd5 = rest - odd6;
  lanes odd4 = d + times(d, LESS_1_082392) - both + odd5;
  out[0] = even[0] + odd7;
  out[7] = even[0] - odd7;
  out[1] = even[1] + odd6;
  out[6] = even[1] - odd6;
  out[2] = even[2] + odd5;
  out[5] = even[2] - odd5;
  out[4] = even[3] + odd4;
  out[3] = even[3] - odd4;
}

static inline void transpose(lanes rows[8]) {
  lanes a[8], b[8];
  for (int i = 0; i < 4; i++) {
    a[2 * i] = low(rows[i], rows[i + 4]);
    a[2 * i + 1] = high(rows[i], rows[i + 4]);
  }
  for (int i = 0; i < 4; i++) {
    b[2 * i] = low(a[i], a[i + 4]);
    b[2 * i + 1] = high(a[i], a[i + 4]);
  }
  for (int i = 0; i < 4; i++) {
    rows[2 * i] = low(b[i], b[i + 4]);
    rows[2 * i + 1] = high(b[i], b[i + 4]);
  }
}

/* Eight samples as bytes, from around 0 to around 128. */
static inline void store(lanes samples, uint8_t *out) {
  const uint16_t middle = (128 << FRACTION) + (1 << (FRACTION - 1));
  signed_lanes values = (signed_lanes)(samples + middle) >> FRACTION;
#if defined(__SSE2__)
  _mm_storel_epi64((__m128i *)out, _mm_packus_epi16((__m128i)values, (__m128i)values));
#else
  for (int i = 0; i < BLOCK; i++) {
    out[i] = (uint8_t)(values[i] < 0 ? 0 : values[i] > 255 ? 255 : values[i]);
  }
#endif
}

/* Four columns of eight bytes as rows of four. */
static inline void interleave(uint8_t columns[4][BLOCK], uint8_t rows[2][4][4]) {
#if defined(__SSE2__)
  __m128i a = _mm_unpacklo_epi8(_mm_loadl_epi64((__m128i *)columns[0]),
                                _mm_loadl_epi64((__m128i *)columns[1]));
  __m128i b = _mm_unpacklo_epi8(_mm_loadl_epi64((__m128i *)columns[2]),
                                _mm_loadl_epi64((__m128i *)columns[3]));
  _mm_storeu_si128((__m128i *)rows[0], _mm_unpacklo_epi16(a, b));
  _mm_storeu_si128((__m128i *)rows[1], _mm_unpackhi_epi16(a, b));
#else
  for (int i = 0; i < 4 * BLOCK; i++) {
    rows[i / 16][i / 4 % 4][i % 4] = columns[i % 4][i / 4];
  }
#endif
}

static inline void load(const int16_t *block, lanes rows[8]) {
  memcpy(rows, block, SAMPLES * sizeof *block);
}

/* Two neighbouring blocks, halved along both axes: four rows of eight samples. */
static inline void put_halved(const int16_t *blocks, uint8_t *out, size_t stride) {
  lanes in[8], rows[8];
  uint8_t columns[4][BLOCK], pixels[2][4][4];
  load(blocks, in);
  halved(in, rows);
  load(blocks + SAMPLES, in);
  halved(in, rows + 4);
  transpose(rows);
  halved(rows, in);
  /* Four columns: four rows of the one block, four of the other. */
  for (int i = 0; i < 4; i++) {
    store(in[i], columns[i]);
  }
  interleave(columns, pixels);
  for (int row = 0; row < 4; row++) {
    memcpy(out + (size_t)row * stride, pixels[0][row], 4);
    memcpy(out + (size_t)row * stride + 4, pixels[1][row], 4);
  }
}

/* A block, halved in height alone (4:2:2): four rows of eight. */
static inline void put_lower(const int16_t *block, uint8_t *out, size_t stride) {
  lanes in[8], rows[8] = {{0}};
  load(block, in);
  halved(in, rows);
  transpose(rows);
  whole(rows, in);
  transpose(in);
  for (int row = 0; row < 4; row++) {
    store(in[row], out + (size_t)row * stride);
  }
}

/* A block as it is (4:2:0): eight rows of eight. */
static inline void put_whole(const int16_t *block, uint8_t *out, size_t stride) {
  lanes in[8], rows[8];
  load(block, in);
  whole(in, rows);
  transpose(rows);
  whole(rows, in);
  transpose(in);
  for (int row = 0; row < BLOCK; row++) {
    store(in[row], out + (size_t)row * stride);
  }
}

/* ── Planes ─────────────────────────────────────────────────────────────────────────────────── */

/* Decoders enlarge subsampled chroma by a triangle filter: each new sample is 3/4 of the nearer old
 * one and 1/4 of the farther. The mean of two new samples is 6/8 of the old one and 1/8 of each
 * neighbour, of which the tile's edge has one only, and takes the sample itself for the other. */
static void smooth(uint8_t *out, const uint8_t *before, const uint8_t *at, const uint8_t *after,
                   int count) {
  for (int i = 0; i < count; i++) {
    /* Halves are rounded down and up by turns: neither hue is favoured. */
    out[i] = (uint8_t)((6 * at[i] + before[i] + after[i] + 3 + (i & 1)) >> 3);
  }
}

static void smooth_rows(uint8_t *plane, size_t stride, int width, int height) {
  uint8_t copy[HALVING_MOST_SIDE / 2 + 2];
  for (int row = 0; row < height; row++, plane += stride) {
    memcpy(copy + 1, plane, (size_t)width);
    copy[0] = plane[0];
    copy[width + 1] = plane[width - 1];
    smooth(plane, copy, copy + 1, copy + 2, width);
  }
}

static void smooth_columns(uint8_t *plane, size_t stride, int width, int height) {
  uint8_t before[HALVING_MOST_SIDE / 2], at[HALVING_MOST_SIDE / 2];
  memcpy(before, plane, (size_t)width);
  for (int row = 0; row < height; row++, plane += stride) {
    memcpy(at, plane, (size_t)width);
    smooth(plane, before, at, row + 1 < height ? plane + stride : at, width);
    memcpy(before, at, (size_t)width);
  }
}

/* 256 times a sample times a factor in 65,536ths. Compilers know a vector instruction for it. */
static inline uint16_t share(uint8_t sample, uint16_t factor) {
  uint16_t wide = (uint16_t)(sample << 8);
  return (uint16_t)(((uint32_t)wide * factor) >> 16);
}

/* A row of red, green and blue becomes one of Y, Cb and Cr (as JFIF defines them). */
static void convert(uint8_t *restrict red, uint8_t *restrict green, uint8_t *restrict blue,
                    int count) {
  const uint16_t half = 1 << 7, middle = (128 << 8) + (1 << 7) - 1;
  for (int i = 0; i < count; i++) {
    uint8_t r = red[i], g = green[i], b = blue[i];
    uint16_t y = (uint16_t)(share(r, 19595) + share(g, 38470) + share(b, 7471) + half);
    uint16_t cb = (uint16_t)(middle + share(b, 32768) - share(r, 11059) - share(g, 21709));
    uint16_t cr = (uint16_t)(middle + share(r, 32768) - share(g, 27439) - share(b, 5329));
    red[i] = (uint8_t)(y >> 8);
    green[i] = (uint8_t)(cb >> 8);
    blue[i] = (uint8_t)(cr >> 8);
  }
}

/* ── Tiles ──────────────────────────────────────────────────────────────────────────────────── */

/* Memory for one call: too much for a thread's stack. */
struct work {
  struct format format;
  int16_t coefficients[COMPONENTS][2 * HALVING_MOST_SIDE / BLOCK * SAMPLES]; /* a row of MCUs */
  uint8_t codes[]; /* of the longest tile */
};

/* Transforms what of one component a row of MCUs holds. */
static void put_row(const struct component *component, const struct component *luma,
                    const int16_t *blocks, int per_row, uint8_t *out, size_t stride) {
  int halves_width = is_halved(component, luma, 0), halves_height = is_halved(component, luma, 1);
  for (int row = 0; row < component->down; row++) {
    for (int i = 0; i < per_row; i += 1 + halves_width, blocks += (1 + halves_width) * SAMPLES) {
      if (halves_width) {
        put_halved(blocks, out + i * BLOCK / 2, stride);
      } else if (halves_height) {
        put_lower(blocks, out + i * BLOCK, stride);
      } else {
        put_whole(blocks, out + i * BLOCK, stride);
      }
    }
    out += BLOCK / 2 * stride;
  }
}

static int halve_tile(struct work *work, struct tile tile, size_t start, uint8_t *const planes[],
                      size_t stride) {
  const struct format *format = &work->format;
  const struct component *luma = format->components;
  int mcus = format->width / (BLOCK * luma->across), rows = format->height / (BLOCK * luma->down);
  int half_height = BLOCK * luma->down / 2;
  int predicted[COMPONENTS] = {0};
  const uint8_t *end = unstuffed(tile.data + start, tile.data + tile.length, work->codes);
  struct reader reader = {0, 0, work->codes};
  if (!end) {
    return -1;
  }
  for (int row = 0; row < rows; row++) {
    for (int i = 0; i < COMPONENTS; i++) {
      const struct component *component = &luma[i];
      size_t blocks = (size_t)mcus * (size_t)(component->across * component->down);
      memset(work->coefficients[i], 0, blocks * SAMPLES * sizeof(int16_t));
    }
    for (int mcu = 0; mcu < mcus; mcu++) {
      for (int i = 0; i < COMPONENTS; i++) {
        const struct component *component = &luma[i];
        for (int down = 0; down < component->down; down++) {
          for (int across = 0; across < component->across; across++) {
            int number = (down * mcus + mcu) * component->across + across;
            if (read_block(&reader, component, &predicted[i],
                           work->coefficients[i] + number * SAMPLES)) {
              return -1;
            }
          }
        }
      }
      if (reader.next > end + 2 * sizeof reader.bits) {
        return -1;
      }
    }
    for (int i = 0; i < COMPONENTS; i++) {
      put_row(&luma[i], luma, work->coefficients[i], mcus * luma[i].across,
              planes[i] + (size_t)(row * half_height) * stride, stride);
    }
  }
  /* The codes fill their last byte up. What is left over, or missing, is a sign of damage. */
  ptrdiff_t left = 8 * (end - reader.next) + reader.count;
  return left >= 0 && left < 16 ? 0 : -1;
}

static void finish_tile(const struct format *format, uint8_t *const planes[], size_t stride) {
  int width = format->width / 2, height = format->height / 2;
  const struct component *luma = format->components;
  for (int i = 1; i < COMPONENTS; i++) {
    if (!is_halved(&luma[i], luma, 0)) {
      smooth_rows(planes[i], stride, width, height);
    }
    if (!is_halved(&luma[i], luma, 1)) {
      smooth_columns(planes[i], stride, width, height);
    }
  }
  for (int row = 0; format->is_rgb && row < height; row++) {
    size_t at = (size_t)row * stride;
    convert(planes[0] + at, planes[1] + at, planes[2] + at, width);
  }
}

int halve_tiles(const struct tile *tiles, int count, int cols, int width, int height,
                uint8_t *output) {
  size_t longest = 0, start = 0;
  int failed = 0;
  int fits = width >= 16 && height >= 16 && width <= HALVING_MOST_SIDE &&
             height <= HALVING_MOST_SIDE && width % 16 == 0 && height % 16 == 0;
  if (!fits || count < 1 || cols < 1 || count % cols) {
    return -1;
  }
  for (int i = 0; i < count; i++) {
    longest = tiles[i].length > longest ? tiles[i].length : longest;
  }
  struct work *work = malloc(sizeof *work + longest + PADDING);
  if (!work) {
    return -1;
  }
  size_t stride = (size_t)(cols * width / 2);
  size_t plane = stride * (size_t)(count / cols * height / 2);
  for (int i = 0; i < count && !failed; i++) {
    size_t first = (size_t)(i / cols * height / 2) * stride + (size_t)(i % cols * width / 2);
    uint8_t *const planes[] = {output + first, output + plane + first, output + 2 * plane + first};
    /* Neighbours mostly have one header: nine tenths of its cost is the Huffman tables'. */
    int is_same = start && tiles[i].length >= start &&
                  !memcmp(tiles[i].data, tiles[i - 1].data, start);
    if (!is_same) {
      start = read_header(&work->format, tiles[i].data, tiles[i].length);
    }
    failed = !start || work->format.width != width || work->format.height != height ||
             halve_tile(work, tiles[i], start, planes, stride);
    if (!failed) {
      finish_tile(&work->format, planes, stride);
    }
  }
  free(work);
  return failed ? -1 : 0;
}
