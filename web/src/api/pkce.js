// Proof Key for Code Exchange, RFC 7636, and the random `state` of RFC 6749.

/**
 * Encode as base64url without padding (RFC 4648, section 5).
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/**
 * Return a random string of 43 characters: 256 bits, the length that RFC 7636 recommends.
 * @returns {string}
 */
export function randomText() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * Return the S256 challenge of a verifier.
 * @param {string} verifier
 * @returns {Promise<string>}
 */
export async function challengeOf(verifier) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64url(new Uint8Array(digest));
}
