import assert from "node:assert/strict";
import test from "node:test";

import { isSecretName } from "../../static/model/secrets.js";

test("names of secrets, however their words are joined", () => {
  const secret = ["token", "accessToken", "access_token", "X-Api-Key", "apikey", "APIKEY", "key", "X-Amz-Signature",
    "x-amz-credential", "X-Amz-Security-Token", "sig", "clientSecret", "auth", "jwt", "pwd", "api.token.value"];
  for (const name of secret) assert.equal(isSecretName(name), true, name);
  const others = ["tokens", "monkey", "keyword", "author", "design", "size", "", "signed", "keys"];
  for (const name of others) assert.equal(isSecretName(name), false, name);
});
