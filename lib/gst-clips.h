/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef __GST_CLIPS_H__
#define __GST_CLIPS_H__

#include <gst/gst.h>

G_BEGIN_DECLS

/**
 * SECTION:gst-clips
 * @title: gst-clips
 * @short_description: Pipeline definitions as elements
 *
 * A pipeline definition is a text file, `<name>.pipeline`; docs/pipelines/format.md describes it.
 * The plugin `clipspipelines` makes an element `<name>bin` of each installed one, so most
 * applications need no more than gst_element_factory_make(). This library is for the rest: to load
 * a definition that is not installed, to set a parameter from a text that a person typed, and to
 * find out which definitions and parameters there are.
 *
 * gst_init() comes first. Every function may be called from any thread.
 */

#ifndef GST_CLIPS_API
#if defined(GST_CLIPS_COMPILATION)
#define GST_CLIPS_API __attribute__((visibility("default"))) extern
#else
#define GST_CLIPS_API extern
#endif
#endif

/**
 * GST_CLIPS_ERROR:
 *
 * The domain of this library's errors. Each message is a sentence for a person.
 */
#define GST_CLIPS_ERROR (gst_clips_error_quark())
GST_CLIPS_API GQuark gst_clips_error_quark(void);

/**
 * GstClipsError:
 * @GST_CLIPS_ERROR_NOT_FOUND: there is no such definition or file
 * @GST_CLIPS_ERROR_READ: the file cannot be read
 * @GST_CLIPS_ERROR_DEFINITION: the definition is wrong; the message has file, line, group and key
 * @GST_CLIPS_ERROR_UNKNOWN_PARAMETER: the definition has no such parameter
 * @GST_CLIPS_ERROR_VALUE: the text is no value of the parameter's type and range
 * @GST_CLIPS_ERROR_MISSING_PLUGIN: an element that is needed is not installed
 * @GST_CLIPS_ERROR_MISSING_VALUE: a required parameter has no value
 */
typedef enum {
  GST_CLIPS_ERROR_NOT_FOUND,
  GST_CLIPS_ERROR_READ,
  GST_CLIPS_ERROR_DEFINITION,
  GST_CLIPS_ERROR_UNKNOWN_PARAMETER,
  GST_CLIPS_ERROR_VALUE,
  GST_CLIPS_ERROR_MISSING_PLUGIN,
  GST_CLIPS_ERROR_MISSING_VALUE,
} GstClipsError;

/**
 * GstClipsParameterType:
 *
 * The type of a parameter. The comment says what its GObject property holds.
 */
typedef enum {
  GST_CLIPS_PARAMETER_BOOLEAN,   /*< gboolean */
  GST_CLIPS_PARAMETER_INT,       /*< gint */
  GST_CLIPS_PARAMETER_UINT,      /*< guint */
  GST_CLIPS_PARAMETER_INT64,     /*< gint64 */
  GST_CLIPS_PARAMETER_UINT64,    /*< guint64 */
  GST_CLIPS_PARAMETER_DOUBLE,    /*< gdouble */
  GST_CLIPS_PARAMETER_STRING,    /*< gchararray */
  GST_CLIPS_PARAMETER_FILENAME,  /*< gchararray, a path or a file:// URI */
  GST_CLIPS_PARAMETER_URI,       /*< gchararray, a URI or a path */
  GST_CLIPS_PARAMETER_TIME,      /*< guint64, in nanoseconds; G_MAXUINT64 is none */
  GST_CLIPS_PARAMETER_FRACTION,  /*< GstFraction */
  GST_CLIPS_PARAMETER_CAPS,      /*< GstCaps */
  GST_CLIPS_PARAMETER_STRUCTURE, /*< GstStructure */
  GST_CLIPS_PARAMETER_CHOICE,    /*< an enumeration; the nicks are the choices */
} GstClipsParameterType;

/**
 * GstClipsDefinition:
 *
 * One pipeline definition, immutable and counted by references.
 */
typedef struct _GstClipsDefinition GstClipsDefinition;

/**
 * GstClipsParameter:
 *
 * One parameter of a definition, which owns it.
 */
typedef struct _GstClipsParameter GstClipsParameter;

#define GST_TYPE_CLIPS_DEFINITION (gst_clips_definition_get_type())
GST_CLIPS_API GType gst_clips_definition_get_type(void);
GST_CLIPS_API GstClipsDefinition* gst_clips_definition_ref(GstClipsDefinition* definition);
GST_CLIPS_API void gst_clips_definition_unref(GstClipsDefinition* definition);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstClipsDefinition, gst_clips_definition_unref)

/**
 * gst_clips_list_definitions:
 * @errors: (out) (optional) (element-type GError) (transfer full): a #GError for each file that is
 *   no right definition, free with g_ptr_array_unref(); or %NULL
 *
 * Reads the definitions of the search path: the folders of the environment variable
 * `GST_CLIPS_PIPELINE_PATH`, then the installed one. The first of a name counts.
 *
 * Returns: (element-type GstClipsDefinition) (transfer full): the definitions, sorted by name; free
 *   with g_ptr_array_unref()
 */
GST_CLIPS_API GPtrArray* gst_clips_list_definitions(GPtrArray** errors);

/**
 * gst_clips_find_definition:
 * @name: a definition's name, with or without `bin` behind it
 * @error: return location for a #GError
 *
 * Returns: (transfer full) (nullable): the definition of that name in the search path. A file
 *   `<name>.pipeline` that is wrong is an error of its own, not "not found".
 */
GST_CLIPS_API GstClipsDefinition* gst_clips_find_definition(const gchar* name, GError** error);

/**
 * gst_clips_load_definition:
 * @filename: (type filename): any file
 * @error: return location for a #GError
 *
 * Returns: (transfer full) (nullable): the definition in the file
 */
GST_CLIPS_API GstClipsDefinition* gst_clips_load_definition(const gchar* filename, GError** error);

/**
 * gst_clips_load:
 * @filename: (type filename): any file
 * @name: (nullable): the element's name, or %NULL for one that is made up
 * @error: return location for a #GError
 *
 * Shorthand for gst_clips_load_definition() and gst_clips_definition_create_element().
 *
 * Returns: (transfer floating) (nullable): a new element
 */
GST_CLIPS_API GstElement* gst_clips_load(const gchar* filename, const gchar* name, GError** error);

GST_CLIPS_API const gchar* gst_clips_definition_get_name(const GstClipsDefinition* definition);
/* "<name>bin" */
GST_CLIPS_API const gchar* gst_clips_definition_get_element_name(
    const GstClipsDefinition* definition);
GST_CLIPS_API const gchar* gst_clips_definition_get_long_name(const GstClipsDefinition* definition);
GST_CLIPS_API const gchar* gst_clips_definition_get_klass(const GstClipsDefinition* definition);
GST_CLIPS_API const gchar* gst_clips_definition_get_description(
    const GstClipsDefinition* definition);
GST_CLIPS_API const gchar* gst_clips_definition_get_filename(const GstClipsDefinition* definition);

/**
 * gst_clips_definition_has_pad:
 * @direction: %GST_PAD_SINK or %GST_PAD_SRC
 *
 * Returns: whether the element has a pad of that direction. One without any runs by itself.
 */
GST_CLIPS_API gboolean gst_clips_definition_has_pad(const GstClipsDefinition* definition,
                                                    GstPadDirection direction);

/**
 * gst_clips_definition_get_missing:
 *
 * Returns: (transfer full) (nullable): the factories that the definition cannot do without and
 *   that are not installed; %NULL when it is usable. Free with g_strfreev().
 */
GST_CLIPS_API gchar** gst_clips_definition_get_missing(const GstClipsDefinition* definition);

/**
 * gst_clips_definition_check:
 * @error: return location for a #GError
 *
 * Builds the graph with each alternative of each choice, without starting it, and tries every bind.
 * That finds what reading alone cannot: syntax errors in the graph, factories and properties that
 * do not exist.
 *
 * Returns: %TRUE when all of it is right
 */
GST_CLIPS_API gboolean gst_clips_definition_check(const GstClipsDefinition* definition,
                                                  GError** error);

/**
 * gst_clips_definition_create_element:
 * @name: (nullable): the element's name, or %NULL for one that is made up
 * @error: return location for a #GError
 *
 * Returns: (transfer floating) (nullable): a new element
 */
GST_CLIPS_API GstElement* gst_clips_definition_create_element(GstClipsDefinition* definition,
                                                              const gchar* name, GError** error);

/**
 * gst_clips_definition_to_json_schema:
 *
 * Returns: (transfer full): a JSON Schema (draft 2020-12) of an object with a member a parameter.
 *   Free with g_free().
 */
GST_CLIPS_API gchar* gst_clips_definition_to_json_schema(const GstClipsDefinition* definition);

GST_CLIPS_API guint gst_clips_definition_get_n_parameters(const GstClipsDefinition* definition);
/* (transfer none) (nullable) */
GST_CLIPS_API const GstClipsParameter* gst_clips_definition_get_parameter(
    const GstClipsDefinition* definition, guint index);
/* (transfer none) (nullable) */
GST_CLIPS_API const GstClipsParameter* gst_clips_definition_find_parameter(
    const GstClipsDefinition* definition, const gchar* name);

GST_CLIPS_API const gchar* gst_clips_parameter_get_name(const GstClipsParameter* parameter);
GST_CLIPS_API GstClipsParameterType
gst_clips_parameter_get_parameter_type(const GstClipsParameter* parameter);
/* The type as the definition writes it: "uint64", "choice" */
GST_CLIPS_API const gchar* gst_clips_parameter_get_type_name(const GstClipsParameter* parameter);
GST_CLIPS_API const gchar* gst_clips_parameter_get_description(const GstClipsParameter* parameter);
GST_CLIPS_API gboolean gst_clips_parameter_is_required(const GstClipsParameter* parameter);
/* As text, which gst_clips_set_parameter() reads; %NULL when there is none. */
GST_CLIPS_API const gchar* gst_clips_parameter_get_default(const GstClipsParameter* parameter);
GST_CLIPS_API const gchar* gst_clips_parameter_get_minimum(const GstClipsParameter* parameter);
GST_CLIPS_API const gchar* gst_clips_parameter_get_maximum(const GstClipsParameter* parameter);
/* %NULL-terminated; %NULL for parameters of other types. */
GST_CLIPS_API const gchar* const* gst_clips_parameter_get_choices(
    const GstClipsParameter* parameter);

/**
 * gst_clips_parameter_get_choice_description:
 * @choice: one of gst_clips_parameter_get_choices()
 *
 * Returns: (transfer none) (nullable): what the choice stands for: the piece of graph of a
 *   `[Choice]`, %NULL for a plain value
 */
GST_CLIPS_API const gchar* gst_clips_parameter_get_choice_description(
    const GstClipsParameter* parameter, const gchar* choice);

/**
 * gst_clips_parameter_get_choice_missing:
 * @choice: one of gst_clips_parameter_get_choices()
 *
 * Returns: (transfer full) (nullable): the factories that the choice needs and that are not
 *   installed; %NULL when it is available. Free with g_strfreev().
 */
GST_CLIPS_API gchar** gst_clips_parameter_get_choice_missing(const GstClipsParameter* parameter,
                                                             const gchar* choice);

/**
 * gst_clips_parameter_check:
 * @text: a value as text
 * @error: return location for a #GError
 *
 * Checks a text against the type, the range and the choices, without an element.
 *
 * Returns: whether gst_clips_set_parameter() would take it
 */
GST_CLIPS_API gboolean gst_clips_parameter_check(const GstClipsParameter* parameter,
                                                 const gchar* text, GError** error);

/**
 * gst_clips_set_parameter:
 * @element: an element made of a definition
 * @name: the parameter's name
 * @text: its value as text
 * @error: return location for a #GError
 *
 * Sets a parameter after checking it. The text is a value and nothing else: it is never read as
 * pipeline syntax. Times without a unit are seconds here ("12.5"), unlike the nanoseconds of the
 * GObject property.
 *
 * Returns: %FALSE when @element has no such parameter or @text is no value of it
 */
GST_CLIPS_API gboolean gst_clips_set_parameter(GstElement* element, const gchar* name,
                                               const gchar* text, GError** error);

/**
 * gst_clips_check_required:
 * @element: an element made of a definition
 * @error: return location for a #GError
 *
 * Returns: %TRUE when every required parameter has a value; else the error names those without
 */
GST_CLIPS_API gboolean gst_clips_check_required(GstElement* element, GError** error);

/**
 * gst_clips_element_get_definition:
 *
 * Returns: (transfer full) (nullable): the definition that @element was made of, %NULL when it was
 *   made of none
 */
GST_CLIPS_API GstClipsDefinition* gst_clips_element_get_definition(GstElement* element);

G_END_DECLS

#endif /* __GST_CLIPS_H__ */
