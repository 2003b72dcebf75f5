// The resolver of every field that SlideCatalogue answers, for AppSync's APPSYNC_JS runtime. That
// knows a part of JavaScript only: no exceptions, no classes, no regular expressions, no "in".
import { util } from "@aws-appsync/utils";

/** Call the function with the event of a direct Lambda resolver, which Powertools understands. */
export function request(ctx) {
  return {
    operation: "Invoke",
    payload: {
      arguments: ctx.arguments,
      identity: ctx.identity,
      source: ctx.source,
      request: ctx.request,
      prev: ctx.prev,
      stash: ctx.stash,
      // The selection set is left out of `info` as a whole when it becomes JSON.
      info: {
        fieldName: ctx.info.fieldName,
        parentTypeName: ctx.info.parentTypeName,
        variables: ctx.info.variables,
        selectionSetList: ctx.info.selectionSetList,
        selectionSetGraphQL: ctx.info.selectionSetGraphQL,
      },
    },
  };
}

/**
 * Return what the function returned. A Lambda function's own errors have a message only: one with
 * a type, and with the record that an edit should have known of, is a result named `__error`.
 */
export function response(ctx) {
  if (ctx.error) {
    util.error(ctx.error.message, ctx.error.type);
  }
  const failure = ctx.result?.__error;
  if (failure) {
    util.error(failure.message, failure.type, failure.data, failure.info);
  }
  return ctx.result;
}
