// The resolver of publishSlideChange: without a data source, what is given comes back, and AppSync passes it on to
// subscribers.

/** Hand the arguments on. */
export function request(ctx) {
  return { payload: ctx.args };
}

/** Return the arguments. */
export function response(ctx) {
  return ctx.result;
}
