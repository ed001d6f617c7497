const SECRET =
  /^(?:access|api|auth|client|id|refresh|session|private)?(?:token|key|secret|password|passwd|pwd|signature|sig)$/;
const CREDENTIAL = /^(?:auth|authorization|credentials?|jwt)$/;

/**
 * Whether the name of a query parameter sounds like that of a secret: one of its words does, as in `accessToken` and
 * `X-Api-Key`.
 * @param {string} name
 * @returns {boolean}
 */
export function isSecretName(name) {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase().split(/[^a-z0-9]+/);
  return words.some((word) => SECRET.test(word) || CREDENTIAL.test(word));
}
