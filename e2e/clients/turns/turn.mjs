// turn takes the way that the command line names, and prints one line: the answer, and the error if there was one.
export async function turn(ways) {
  let answer = "";
  let error;
  try {
    await ways[process.argv[2]]((text) => (answer += text));
  } catch (err) {
    // The AI SDK wraps the last of its tries.
    const last = err?.lastError ?? err;
    error = { name: last?.name === "Error" ? last.constructor.name : (last?.name ?? typeof last), status: last?.status ?? last?.statusCode, message: String(last?.message ?? JSON.stringify(last)) };
  }
  console.log(JSON.stringify({ answer, error }));
  process.exit(error ? 1 : 0);
}
