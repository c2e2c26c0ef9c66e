/**
 * What set-up makes, as data: each step with what it needs, what decides that it must be made
 * again, and where its stamp lies. A stamp lies inside the product it vouches for and is written
 * last, so a product that was deleted, replaced or left half made has no stamp and is made again.
 *
 * @module
 */

/** Every step of set-up, each after those it needs. */
export const step_names = [
  "packages",
  "kafka_client",
  "kafka_broker",
  "spark_jars",
  "python",
  "pyspark",
  "spark_classes",
  "duckdb",
  "notebooks",
  "test_tools",
  "apicurio",
] as const;

/** One of `step_names`. */
export type StepName = (typeof step_names)[number];

/** Programs of the machine that set-up or the platform calls. */
export type ToolName = "node" | "java" | "mvn" | "python3";

/** Steps of one group run one after the other: they write the same cache or environment. */
type Group = "maven" | "python";

/** One product of set-up: what it needs, what it is made from, and where it lies. */
export interface Step {
  /** What the progress line calls it. */
  readonly title: string;
  /** Steps that must be done before. */
  readonly needs: readonly StepName[];
  /** Tools that making it calls. */
  readonly tools: readonly ToolName[];
  /** Tools that using it calls: looked for at every start. */
  readonly tools_in_use: readonly ToolName[];
  /** Files, relative to the checkout, whose content decides whether it must be made again. */
  readonly inputs: readonly string[];
  /** What else decides it: versions that stand in the code of set-up. */
  readonly recipe: string;
  /** True where the product fits only one version of Node's binary interface. */
  readonly is_bound_to_node: boolean;
  /** Where its stamp lies, relative to the checkout. */
  readonly stamp: string;
  /** Paths that must exist, relative to the checkout. */
  readonly products: readonly string[];
  /** Free disk space that making it takes at most, caches of the package managers included. */
  readonly disk_mib: number;
  readonly group: Group | null;
}

/** Version of uv, the Python installer: it comes from PyPI by pip, into the environment itself. */
export const uv_version = "0.13.9";

/** Version of the Maven plugin that copies the jars. */
export const dependency_plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/** The Kafka client's package, built in place by set-up. */
export const kafka_client_package = "node_modules/@confluentinc/kafka-javascript";

const python_requirements = {
  pyspark: "spark/requirements.txt",
  duckdb: "spark/k2_lake/requirements.txt",
  notebooks: "spark/notebooks/requirements.txt",
  test_tools: "tests/requirements.txt",
} as const;

/** Steps that install a requirements file into the Python environment. */
export type PythonStepName = keyof typeof python_requirements;

/** The requirements file of a step, relative to the checkout. */
export function requirementsOf(name: PythonStepName): string {
  return python_requirements[name];
}

/** What every step is. */
export const steps: Readonly<Record<StepName, Step>> = {
  packages: {
    title: "npm packages",
    needs: [],
    tools: [],
    tools_in_use: [],
    inputs: ["bun.lock"],
    recipe: "bun install",
    is_bound_to_node: false,
    stamp: "node_modules/.k2_stamp.json",
    products: [],
    disk_mib: 600,
    group: null,
  },
  kafka_client: {
    title: "Kafka client (a native build of about two minutes)",
    needs: ["packages"],
    tools: ["node"],
    tools_in_use: ["node"],
    inputs: [`${kafka_client_package}/package.json`],
    recipe: "node-pre-gyp, dynamic linking",
    is_bound_to_node: true,
    stamp: `${kafka_client_package}/build/k2_stamp.json`,
    products: [`${kafka_client_package}/build/Release/confluent-kafka-javascript.node`],
    disk_mib: 400,
    group: null,
  },
  kafka_broker: {
    title: "Kafka broker's jars",
    needs: [],
    tools: ["java", "mvn"],
    tools_in_use: ["java"],
    inputs: ["actors/broker/pom.xml"],
    recipe: dependency_plugin,
    is_bound_to_node: false,
    stamp: ".setup/kafka/stamp.json",
    products: [],
    disk_mib: 150,
    group: "maven",
  },
  spark_jars: {
    title: "Spark's jars for Kafka and Iceberg",
    needs: [],
    tools: ["java", "mvn"],
    tools_in_use: ["java"],
    inputs: ["spark/pom.xml"],
    recipe: dependency_plugin,
    is_bound_to_node: false,
    stamp: ".setup/spark/stamp.json",
    products: [],
    disk_mib: 200,
    group: "maven",
  },
  python: {
    title: "Python environment",
    needs: [],
    tools: ["python3"],
    tools_in_use: [],
    inputs: [],
    recipe: `uv==${uv_version}`,
    is_bound_to_node: false,
    stamp: ".setup/python/stamps/python.json",
    products: [".setup/python/bin/python", ".setup/python/bin/uv"],
    disk_mib: 150,
    group: "python",
  },
  pyspark: pythonStep("pyspark", "PySpark (a download of 450 MB)", 1800),
  spark_classes: {
    title: "Spark's classes in one file (for quicker starts)",
    needs: ["spark_jars", "pyspark"],
    tools: ["java"],
    tools_in_use: [],
    inputs: ["spark/pom.xml", "spark/requirements.txt", "spark/jobs/class_archive.py"],
    recipe: "class data sharing",
    is_bound_to_node: false,
    // Beside the jars, so that it goes when they do.
    stamp: ".setup/spark/classes_stamp.json",
    products: [".setup/spark/classes.jsa"],
    disk_mib: 300,
    group: null,
  },
  duckdb: {
    ...pythonStep("duckdb", "DuckDB's extensions", 400),
    products: [".setup/duckdb/avro.duckdb_extension", ".setup/duckdb/iceberg.duckdb_extension"],
  },
  notebooks: pythonStep("notebooks", "Jupyter and its libraries", 800),
  test_tools: pythonStep("test_tools", "test tools", 150),
  apicurio: {
    title: "Apicurio, a schema registry for the tests (110 MB)",
    needs: [],
    tools: ["java", "mvn"],
    tools_in_use: ["java"],
    inputs: ["tests/actors/registry/pom.xml"],
    recipe: dependency_plugin,
    is_bound_to_node: false,
    stamp: ".setup/apicurio/stamp.json",
    products: [],
    disk_mib: 400,
    group: "maven",
  },
};

function pythonStep(name: PythonStepName, title: string, disk_mib: number): Step {
  return {
    title,
    needs: ["python"],
    tools: [],
    tools_in_use: [],
    inputs: [python_requirements[name]],
    recipe: "uv pip install",
    is_bound_to_node: false,
    stamp: `.setup/python/stamps/${name}.json`,
    products: [],
    disk_mib,
    group: "python",
  };
}

/** The wanted steps and all that they need, in the order of `step_names`. */
export function withNeeds(wanted: readonly StepName[]): readonly StepName[] {
  const all = new Set<StepName>();
  function add(name: StepName): void {
    all.add(name);
    steps[name].needs.forEach(add);
  }
  wanted.forEach(add);
  return step_names.filter((name) => all.has(name));
}

/** Whether a text, from the command line, names a step. */
export function isStepName(text: string): text is StepName {
  return step_names.some((name) => name === text);
}
