/**
 * Logging in to Kafka, as far as the client leaves it to us. Tokens for SASL OAUTHBEARER are
 * fetched here, by OpenID Connect's client credentials (RFC 6749, section 4.4): the client does it
 * by itself only where it was built with libcurl, which it seldom is; the settings are named as
 * its own. And why it is not let in, it says only to those who ask while it connects.
 */

"use strict";

const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { rootCertificates } = require("node:tls");

/** What the client logs of a password or a certificate that is wrong; it tries on after it. */
const refusal = /\b((?:SASL authentication error|SSL handshake failed): .*?)(?: \(after .*)?$/;
const poll_ms = 50;
const answer_ms_max = 10_000;
const answer_bytes_max = 2 ** 20;
const ours = /^(sasl\.oauthbearer\.|https\.ca\.location$)/;

/** The client's properties; where they ask for tokens, with the function that fetches one. */
function withTokens(properties) {
  const kept = Object.entries(properties).filter(([name]) => !ours.test(name));
  const is_wanted = properties["sasl.oauthbearer.token.endpoint.url"] !== undefined;
  return {
    ...Object.fromEntries(kept),
    ...(is_wanted ? { oauthbearer_token_refresh_cb: () => fetchToken(properties) } : {}),
  };
}

async function fetchToken(properties) {
  const url = properties["sasl.oauthbearer.token.endpoint.url"];
  const { status, text } = await post(url, {
    form: formOf(properties),
    authorization: authorizationOf(properties),
    ca: properties["https.ca.location"],
  }).catch((error) => {
    throw new Error(`the token endpoint at ${url} cannot be reached: ${error.message}`);
  });
  const answer = parseObject(text);
  if (status !== 200 || typeof answer.access_token !== "string") {
    // The answer's own words only by their codes: the rest may repeat what was sent.
    const code = typeof answer.error === "string" ? ` (${answer.error.slice(0, 100)})` : "";
    throw new Error(`the token endpoint at ${url} gave no token: HTTP ${status}${code}`);
  }
  const seconds = Number(answer.expires_in) > 0 ? Number(answer.expires_in) : 300;
  return {
    tokenValue: answer.access_token,
    lifetime: Date.now() + seconds * 1000,
    principal: properties["sasl.oauthbearer.client.id"],
    extensions: extensionsOf(properties),
  };
}

function formOf(properties) {
  const scope = properties["sasl.oauthbearer.scope"];
  const form = { grant_type: "client_credentials", ...(scope === undefined ? {} : { scope }) };
  return new URLSearchParams(form).toString();
}

/** RFC 6749, section 2.3.1: both parts are encoded before they are joined. */
function authorizationOf(properties) {
  const parts = ["sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret"].map((name) =>
    encodeURIComponent(properties[name]),
  );
  return `Basic ${Buffer.from(parts.join(":")).toString("base64")}`;
}

/** `name=value,…` as an object. */
function extensionsOf(properties) {
  const text = properties["sasl.oauthbearer.extensions"] ?? "";
  const pairs = text.split(",").filter((pair) => pair !== "");
  return Object.fromEntries(pairs.map((pair) => pair.split("=")));
}

function post(url, { form, authorization, ca }) {
  const options = {
    method: "POST",
    timeout: answer_ms_max,
    headers: {
      authorization,
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      "content-length": Buffer.byteLength(form),
    },
    ...(ca === undefined ? {} : { ca: [...rootCertificates, readFileSync(ca)] }),
  };
  const client = url.startsWith("https:") ? https : http;
  return new Promise((resolve, reject) => {
    const request = client.request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
        if (text.length > answer_bytes_max) request.destroy(new Error("the answer has no end"));
      });
      response.on("end", () => resolve({ status: response.statusCode, text }));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error("no answer within 10 s")));
    request.on("error", reject);
    request.end(form);
  });
}

function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/**
 * Hears why a producer is not let in while it connects. The client itself goes on trying until its
 * time limit, and then says only that it could not connect.
 *
 * @param onRefused Gets one sentence.
 * @returns Ends it: the producer is connected, or given up.
 */
function watchLogin(producer, onRefused) {
  const timer = setInterval(() => {
    if (producer.isConnected()) producer.poll();
  }, poll_ms);
  function readLog({ message }) {
    const words = refusal.exec(message)?.[1];
    if (words !== undefined) refuse({ message: words });
  }
  function refuse({ message }) {
    end();
    onRefused(message);
  }
  function end() {
    clearInterval(timer);
    producer.off("event.log", readLog);
    producer.off("error", refuse);
  }
  producer.on("event.log", readLog);
  // No token could be had.
  producer.on("error", refuse);
  return end;
}

module.exports = { watchLogin, withTokens };
